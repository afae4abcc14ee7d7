"""DetectErrors' Lambda entry point; CloudWatch Logs invokes it with what a subscription let through."""

from __future__ import annotations

import time
from functools import cache, lru_cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.data_classes import CloudWatchLogsEvent

from functions.core.apps.registry import Registry
from functions.core.aws.edge import step
from functions.core.aws.names import is_own_log_group
from functions.core.aws.settings import Settings
from functions.core.aws.telemetry import logger
from functions.core.notify.notifications import Notifications
from functions.core.notify.outbox import Outbox
from functions.core.workflow.switch import Switch
from functions.detect_errors.aliases import Aliases, identify
from functions.detect_errors.detect import detect
from functions.detect_errors.events import decode_batch
from functions.detect_errors.fingerprint import VERSION
from functions.detect_errors.recorder import Recorder
from functions.detect_errors.share import Share, SharedLogs

_LOOK_SECONDS = 30


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """{"awslogs": {"data": ...}} → {"outcome", "errors", "incidents"}.

    Raises on anything that a retry may mend, and AppStorms for an app that sends more than its share. The
    same batch again counts nothing twice.
    """
    # Unpacked by ours and not by Powertools: what a stranger may have packed is bounded there.
    batch = decode_batch(CloudWatchLogsEvent(event).raw_logs_data)
    if batch is None:
        return {"outcome": "control_message", "errors": 0, "incidents": 0}
    if is_own_log_group(batch.log_group):
        logger().error("refused: this system must not watch itself", extra={"log_group": batch.log_group})
        return {"outcome": "own_log_group", "errors": 0, "incidents": 0}
    app = _registry().app_of_log_group(batch.log_group)
    if app is None:
        logger().warning(
            "no app has this log group; register it or remove its subscription filter",
            extra={"log_group": batch.log_group},
        )
        return {"outcome": "unregistered", "errors": 0, "incidents": 0}
    share = _share()
    with share.of(app.name):
        logs = SharedLogs(boto3.client("logs"), share, app.name)
        aliases = _aliases().of(app.name, identify(app))
        stopped = _is_stopped(int(time.monotonic()) // _LOOK_SECONDS)
        return detect(batch, app, _recorder(), _outbox(), logs, aliases, stopped).to_json()


# Kept while the function is warm: an error storm must not build clients for every batch.
@cache
def _settings() -> Settings:
    return Settings.from_environment()


@lru_cache(maxsize=1)
def _is_stopped(period: int) -> bool:
    """Looked at once in a period: it spares executions that would end at once, and decides nothing."""
    return bool(Switch(_settings().switch_parameter).stopped())


@cache
def _registry() -> Registry:
    return Registry(_settings().require("registry_path"))


@cache
def _share() -> Share:
    return Share(time.monotonic)


@cache
def _recorder() -> Recorder:
    dynamodb = boto3.resource("dynamodb")
    return Recorder(
        dynamodb.Table(_settings().require("incidents_table")),
        dynamodb.Table(_settings().require("deliveries_table")),
    )


@cache
def _aliases() -> Aliases:
    return Aliases(boto3.resource("dynamodb").Table(_settings().require("incidents_table")), f"v{VERSION}")


@cache
def _outbox() -> Outbox:
    table = boto3.resource("dynamodb").Table(_settings().require("incidents_table"))
    return Outbox(table, Notifications(boto3.client("sns"), _settings().require("topic_arn")))
