"""RecordOutcome's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3

from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.record_outcome.record import record


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input plus `execution_arn` → {"outcome", "incident_id", "reason", "pull_request_url"?}."""
    settings = Settings.from_environment()
    incidents = Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table")))
    notifications = Notifications(boto3.client("sns"), settings.require("topic_arn"))
    return record(event, incidents, notifications, Webhooks(settings.require("webhooks_path")))
