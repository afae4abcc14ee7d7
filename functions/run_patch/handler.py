"""RunPatch's Lambda entry point."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from functions.core.aws.edge import step
from functions.core.aws.names import PING
from functions.core.aws.settings import Settings
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import s3_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.run_patch.dispatch import Dispatcher, invoke
from functions.run_patch.lane import Lane, signing

_WAIT = Config(read_timeout=885, tcp_keepalive=True, retries={"total_max_attempts": 1})
"""A run takes up to 15 minutes, and asking again would run it twice."""
_SHORT = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
"""Asking about a MicroVM again is cheap; starting it again is told from a second one by its token."""


def _lane(heal: Heal, settings: Settings) -> Lane:
    region = boto3.session.Session().region_name
    s3 = s3_of(heal, settings, signing(region, os.environ.get("AWS_ENDPOINT_URL")))
    if settings.microvm_image:
        from functions.run_patch.microvms import MicroVms

        microvms = boto3.client("lambda-microvms", config=_SHORT)
        return MicroVms(s3, microvms, settings.microvm_image, settings.microvm_connector)
    return Dispatcher(s3, boto3.client("lambda", config=_WAIT), settings.require("runner_arn"))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """State input with a deferred `validation` → the state's `run`. A ping goes on to the runner, which no
    schedule can name a tenant for."""
    runner = Settings.from_environment().runner_arn
    if event == PING and runner:
        invoke(boto3.client("lambda", config=_WAIT), runner, "ping", PING)
    return run(event, context)


@step
def run(event: dict[str, Any]) -> dict[str, Any]:
    """The `run` part of the state input: `{"ended": "" or how it ended without a report, "lane"}`."""
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    heal = Heal.from_state(event)
    lane = _lane(heal, settings)
    folder = event["validation"]["run"]["folder"]
    ended = lane.run(settings.require("artifacts_bucket"), folder, heal.heal_id)
    return {"ended": ended, "lane": lane.name}
