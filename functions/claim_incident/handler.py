"""ClaimIncident's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3

from functions.claim_incident.claim import claim
from functions.core.edge import step
from functions.core.incidents import Incidents
from functions.core.notifications import Notifications
from functions.core.registry import Registry
from functions.core.settings import Settings


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """{"incident_id", "execution_arn", "heal_id"} → the state a heal starts with, or why none starts."""
    settings = Settings.from_environment()
    incidents = Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table")))
    registry = Registry(settings.require("registry_path"))
    notifications = Notifications(boto3.client("sns"), settings.require("topic_arn"))
    return claim(
        event["incident_id"], event["execution_arn"], event["heal_id"], incidents, registry, notifications
    )
