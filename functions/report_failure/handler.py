"""report_failure's Lambda entry point; target of the EventBridge rule on failed executions."""

from __future__ import annotations

from typing import Any

import boto3

from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.report_failure.report import report


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """A "Step Functions Execution Status Change" event → {"incident_id", "status"}: null if not reported."""
    settings = Settings.from_environment()
    incidents = Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table")))
    notifications = Notifications(boto3.client("sns"), settings.require("topic_arn"))
    webhooks = Webhooks(settings.require("webhooks_path"))
    incident = report(event, boto3.client("stepfunctions"), incidents, notifications, webhooks)
    return {
        "incident_id": incident.incident_id if incident else None,
        "status": str(incident.status) if incident else None,
    }
