"""TrackPullRequests' Lambda entry point; a schedule invokes it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from functions.core.apps.app import App
from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.forge.connect import connect
from functions.core.forge.installation import token_of
from functions.core.incidents.table import Incidents
from functions.core.workflow.errors import ForgeUnavailable
from functions.core.workflow.switch import Switch
from functions.track_pull_requests.service import RunningService
from functions.track_pull_requests.track import track

if TYPE_CHECKING:
    from functions.core.forge.port import Forge


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """Any event → incident ids of what changed, by what: see `track.Tracked`.

    Raises ForgeUnavailable after all apps were looked at if some forge failed, so that the alarm sees it.
    """
    settings = Settings.from_environment()
    incidents = Incidents(boto3.resource("dynamodb").Table(settings.require("incidents_table")))
    registry = Registry(settings.require("registry_path"))

    def forge_of(app: App) -> Forge:
        return connect(app, token_of(registry, app))

    service = RunningService(boto3.client("lambda"), boto3.client("logs"))
    stopped = Switch(settings.switch_parameter).stopped()
    tracked = track(registry.apps(), incidents, forge_of, service, datetime.now(UTC), stopped)
    if tracked.failures:
        raise ForgeUnavailable("; ".join(tracked.failures))
    return asdict(tracked)
