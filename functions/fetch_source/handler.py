"""FetchSource's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3

from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.fetch_source.step import fetch_for


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input → its `source` part: see functions/core/heal.py."""
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    heal = Heal.from_state(event)
    artifacts = artifacts_of(heal, settings)
    incidents = Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table")))
    registry = Registry(settings.require("registry_path"))
    return fetch_for(
        heal,
        artifacts,
        incidents,
        registry,
        boto3.client("lambda"),
        lambda region: boto3.client("ecr", region_name=region),
        settings.require("pythons").split(),
    )
