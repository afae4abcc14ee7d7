"""RunPatch's Lambda entry point."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from functions.core.edge import step
from functions.core.settings import Settings
from functions.run_patch.dispatch import Dispatcher

_WAIT = Config(read_timeout=895, retries={"total_max_attempts": 1})
"""A run takes up to 15 minutes, and asking again would run it twice."""
_SIGNED = Config(signature_version="s3v4", s3={"us_east_1_regional_endpoint": "regional"})
"""What is encrypted with a key of KMS can be read only by addresses of version 4."""


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """The `run` part of the state input: `{"ended": "" or how it ended without a report}`."""
    settings = Settings.from_environment()
    dispatcher = Dispatcher(
        boto3.client("s3", config=_SIGNED),
        boto3.client("lambda", config=_WAIT),
        settings.require("runner_arn"),
    )
    folder = event["validation"]["run"]["folder"]
    return {"ended": dispatcher.run(settings.require("artifacts_bucket"), folder, event["heal_id"])}
