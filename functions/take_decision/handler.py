"""take_decision's Lambda entry point. Whoever may invoke it may decide, in their own name alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3

from functions.core.approval.approvals import Approvals
from functions.core.approval.decisions import Decisions
from functions.core.approval.task_tokens import TaskTokens
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.take_decision.take import Counter


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """A signed order → what became of it; see `Counter.take`."""
    return _counter().take(event)


@cache
def _counter() -> Counter:
    settings = Settings.from_environment()
    dynamodb = boto3.resource("dynamodb")
    approvals = Approvals(dynamodb.Table(settings.require("approvals_table")))
    incidents = Incidents(dynamodb.Table(settings.require("incidents_table")))
    tokens = TaskTokens(boto3.client("kms"))
    decisions = Decisions(approvals, incidents, tokens, boto3.client("stepfunctions"))
    return Counter(approvals, decisions, boto3.client("sts"))
