"""RunPatch's Lambda entry point."""

from __future__ import annotations

from typing import Any

from functions.core.aws.deployment import deployment
from functions.core.aws.edge import step
from functions.core.aws.names import PING
from functions.run_patch.step import keep_awake, run

_step = step(run)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event == PING:
        keep_awake(deployment())
    return _step(event, context)
