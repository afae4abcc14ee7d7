"""ProposePatch's Lambda entry point."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3

from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.model.bedrock import Bedrock, client_config
from functions.core.model.budget import Budgets
from functions.core.source.python import Python
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.propose_patch.step import propose


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """State input with `source` and the number of this attempt → the state's `proposal`."""
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    heal = Heal.from_state(event)
    app = Registry(settings.require("registry_path")).app(heal.app)
    runtime = boto3.client("bedrock-runtime", region_name=app.model_region or None, config=client_config())
    table = boto3.resource("dynamodb").Table(settings.require("incidents_table"))
    return propose(
        heal,
        event["source"],
        Python.from_state(event),
        event.get("comment", ""),
        replace(app, model=app.model_in(runtime.meta.region_name)),
        artifacts_of(heal, settings),
        Incidents(table),
        Bedrock(runtime),
        Budgets.of(app, table),
    )
