"""RemindApprovers' Lambda entry point; a schedule invokes it."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import cache
from typing import Any

import boto3

from functions.core.approval.approvals import Approvals
from functions.core.approval.links import LinkKeys
from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.notify.outbox import Outbox
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.artifacts import Artifacts
from functions.remind_approvers.remind import Desk, remind


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """Any event → {"reminded": [incident ids], "questions_waiting", "oldest_question_share", "digested"}."""
    settings = Settings.from_environment()
    dynamodb = boto3.resource("dynamodb")
    desk = Desk(
        incidents=Incidents(dynamodb.Table(settings.require("incidents_table"))),
        approvals=Approvals(dynamodb.Table(settings.require("approvals_table"))),
        artifacts=Artifacts(boto3.client("s3"), settings.require("artifacts_bucket")),
        notifications=Notifications(
            boto3.client("sns"), settings.require("topic_arn"), settings.require("personal_topic_arn")
        ),
        webhooks=Webhooks(settings.require("webhooks_path")),
        keys=_link_keys(settings.require("link_key_parameter")).all(),
        page=settings.require("approval_url"),
    )
    apps, now = Registry(settings.require("registry_path")).apps(), time.time()
    outbox = Outbox(dynamodb.Table(settings.require("incidents_table")), desk.notifications)
    return asdict(remind(apps, desk, now)) | {"digested": sum(outbox.digest(app, now) for app in apps)}


@cache
def _link_keys(parameter: str) -> LinkKeys:
    return LinkKeys(parameter)
