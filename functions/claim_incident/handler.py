"""ClaimIncident's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3

from functions.claim_incident.claim import Desk, claim
from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.workflow.switch import Switch


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """{"incident_id", "execution_arn", "heal_id"} → the state a heal starts with, or why none starts."""
    settings = Settings.from_environment()
    desk = Desk(
        incidents=Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table"))),
        registry=Registry(settings.require("registry_path")),
        notifications=Notifications(boto3.client("sns"), settings.require("topic_arn")),
        stopped=Switch(settings.switch_parameter).stopped(),
        at_once=int(settings.require("heals_at_once")),
    )
    return claim(event["incident_id"], event["execution_arn"], event["heal_id"], desk)
