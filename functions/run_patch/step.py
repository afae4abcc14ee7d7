"""RunPatch within a heal: the job of a deferred verdict, run to its end where the deployment runs patches."""

from __future__ import annotations

from typing import Any

from botocore.config import Config

from functions.core.aws.deployment import Deployment
from functions.core.aws.names import PING
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import s3_of
from functions.core.workflow.state import HealState, RunState
from functions.run_patch.dispatch import Dispatcher, invoke
from functions.run_patch.lane import Lane, signing

_WAIT = Config(read_timeout=885, tcp_keepalive=True, retries={"total_max_attempts": 1})
"""A run takes up to 15 minutes, and asking again would run it twice."""
_SHORT = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
"""Asking about a MicroVM again is cheap; starting it again is told from a second one by its token."""


def run(state: HealState, deployment: Deployment) -> RunState:
    lane = _lane(state.heal, deployment)
    folder = state.validation.order.folder
    ended = lane.run(deployment.setting("artifacts_bucket"), folder, state.heal_id)
    return RunState(ended, lane.name)


def keep_awake(deployment: Deployment) -> None:
    """A ping goes on to the runner, which no schedule can name a tenant for."""
    if runner := deployment.settings.runner_arn:
        invoke(_functions(deployment), runner, "ping", PING)


def _lane(heal: Heal, deployment: Deployment) -> Lane:
    settings, session = deployment.settings, deployment.session
    endpoint = deployment.environment.get("AWS_ENDPOINT_URL")
    s3 = s3_of(heal, settings, session, signing(session.region_name, endpoint))
    if settings.microvm_image:
        from functions.run_patch.microvms import MicroVms

        microvms = session.client("lambda-microvms", config=_SHORT)
        return MicroVms(s3, microvms, settings.microvm_image, settings.microvm_connector)
    return Dispatcher(s3, _functions(deployment), deployment.setting("runner_arn"))


def _functions(deployment: Deployment) -> Any:
    return deployment.session.client("lambda", config=_WAIT)
