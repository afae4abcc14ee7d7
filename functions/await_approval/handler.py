"""AwaitApproval's Lambda entry point; invoked with `lambda:invoke.waitForTaskToken`."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import boto3

from functions.await_approval.question import ApprovalRequest, Desk, ask
from functions.core.approval.approvals import Approvals
from functions.core.approval.decisions import Decisions
from functions.core.approval.links import LinkKeys
from functions.core.approval.task_tokens import TaskTokens
from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input plus `task_token`, `execution_arn`, `redrive_count`. The return value is for the log only:
    the task's result is what a human decides."""
    refuse_when_stopped(_settings())
    expires_at = int(time.time()) + int(_settings().require("approval_ttl_seconds"))
    question = ApprovalRequest.from_state(event)
    approval = ask(question, _desk(question.heal), expires_at)
    return {"status": str(approval.status), "expires_at": approval.expires_at}


@cache
def _settings() -> Settings:
    return Settings.from_environment()


@cache
def _link_keys() -> LinkKeys:
    return LinkKeys(_settings().require("link_key_parameter"))


@cache
def _registry() -> Registry:
    return Registry(_settings().require("registry_path"))


def _desk(heal: Heal) -> Desk:
    settings = _settings()
    dynamodb = boto3.resource("dynamodb")
    approvals = Approvals(dynamodb.Table(settings.require("approvals_table")))
    incidents = Incidents(dynamodb.Table(settings.require("incidents_table")))
    tokens = TaskTokens(boto3.client("kms"), settings.require("token_key_arn"))
    return Desk(
        approvals=approvals,
        incidents=incidents,
        artifacts=artifacts_of(heal, settings),
        registry=_registry(),
        decisions=Decisions(approvals, incidents, tokens, boto3.client("stepfunctions")),
        tokens=tokens,
        notifications=Notifications(
            boto3.client("sns"), settings.require("topic_arn"), settings.require("personal_topic_arn")
        ),
        webhooks=Webhooks(settings.require("webhooks_path")),
        keys=_link_keys().all(),
        page=settings.require("approval_url"),
        identity_from=settings.require("identity_from"),
    )
