"""decide_approval's Lambda entry point, behind a function URL, or an HTTP API where people sign in."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.core.approval.approvals import Approvals
from functions.core.approval.decisions import Decisions
from functions.core.approval.links import LinkKeys
from functions.core.approval.task_tokens import TaskTokens
from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.notify.signing_secrets import SigningSecrets
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.history import read_visits
from functions.decide_approval.routes import Office, build
from functions.decide_approval.slack_interactions import SlackInteractions
from functions.decide_approval.slack_reply import Replies


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """A request (payload format 2.0) → its response."""
    return _app().resolve(event, LambdaContext())


@cache
def _app() -> LambdaFunctionUrlResolver:
    return build(_office, _clicks)


@cache
def _office() -> Office:
    settings = Settings.from_environment()
    dynamodb = boto3.resource("dynamodb")
    approvals = Approvals(dynamodb.Table(settings.require("approvals_table")))
    incidents = Incidents(dynamodb.Table(settings.require("incidents_table")))
    tokens, states = TaskTokens(boto3.client("kms")), boto3.client("stepfunctions")
    return Office(
        approvals=approvals,
        incidents=incidents,
        artifacts=Artifacts(boto3.client("s3"), settings.require("artifacts_bucket")),
        decisions=Decisions(approvals, incidents, tokens, states),
        keys=LinkKeys(settings.require("link_key_parameter")),
        registry=Registry(settings.require("registry_path")),
        visits=partial(read_visits, states, data=False),
        identity_from=settings.require("identity_from"),
    )


@cache
def _clicks() -> SlackInteractions:
    office = _office()
    return SlackInteractions(
        approvals=office.approvals,
        decisions=office.decisions,
        keys=office.keys,
        secrets=SigningSecrets(Settings.from_environment().require("slack_signing_path")),
        replies=Replies(),
    )
