"""DetectErrors on what a subscription delivered: whose it is, and within that app's share of the function."""

from __future__ import annotations

import time
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.aws.names import is_own_log_group
from functions.core.aws.telemetry import logger
from functions.detect_errors.aliases import Aliases, identify
from functions.detect_errors.detect import detect
from functions.detect_errors.discovery import Discovery
from functions.detect_errors.events import Batch, decode_batch
from functions.detect_errors.fingerprint import VERSION
from functions.detect_errors.recorder import Recorder
from functions.detect_errors.share import Share, SharedLogs

_LOOK_SECONDS = 30
REST_SECONDS = 5.0
"""Where all log groups are delivered, what is registered counts so soon, and by which name: all environments
together ask twice a second."""


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """{"awslogs": {"data": ...}} → {"outcome", "errors", "incidents"}.

    Raises on anything that a retry may mend, and AppStorms for an app that sends more than its share. The
    same batch again counts nothing twice.
    """
    # What a stranger may have packed is bounded in unpacking.
    batch = decode_batch(event["awslogs"]["data"])
    if batch is None:
        return {"outcome": "control_message", "errors": 0, "incidents": 0}
    if is_own_log_group(batch.log_group):
        logger().error("refused: this system must not watch itself", extra={"log_group": batch.log_group})
        return {"outcome": "own_log_group", "errors": 0, "incidents": 0}
    app = _app_of(batch, deployment)
    if app is None:
        return {"outcome": "unregistered", "errors": 0, "incidents": 0}
    kept = _kept(deployment)
    with kept.share.of(app.name):
        logs = SharedLogs(kept.logs, kept.share, app.name)
        aliases = kept.aliases.of(app.name, identify(app))
        stopped = _is_stopped(deployment, int(time.monotonic()) // _LOOK_SECONDS)
        return detect(batch, app, kept.recorder, deployment.outbox, logs, aliases, stopped).to_json()


def _app_of(batch: Batch, deployment: Deployment) -> App | None:
    """Who registered the log group; where all of the account's are delivered, also whose its function's tags
    say it is."""
    everything = bool(deployment.settings.discovers)
    rest = REST_SECONDS if everything else 0.0
    app = deployment.registry.app_of_log_group(batch.log_group, rest=rest)
    if app is None and everything:
        # Most log groups of an account are nobody's here, and a line for each delivery costs more than it.
        return _discovery(deployment).app_of(batch.log_group, batch.owner)
    if app is None:
        logger().warning(
            "no app has this log group; register it or remove its subscription filter",
            extra={"log_group": batch.log_group},
        )
    return app


class _Kept(NamedTuple):
    """Kept while the function is warm: an error storm must not build clients for every batch."""

    share: Share
    recorder: Recorder
    aliases: Aliases
    logs: Any


@cache
def _kept(deployment: Deployment) -> _Kept:
    incidents, deliveries = deployment.table("incidents_table"), deployment.table("deliveries_table")
    return _Kept(
        Share(time.monotonic),
        Recorder(incidents, deliveries, renamed=partial(deployment.registry.renamed, REST_SECONDS)),
        Aliases(incidents, f"v{VERSION}"),
        deployment.session.client("logs"),
    )


@cache
def _discovery(deployment: Deployment) -> Discovery:
    partition = deployment.session.get_partition_for_region(deployment.region)
    client = deployment.session.client("lambda")
    return Discovery(client, deployment.registry, partition, time.monotonic)


@lru_cache(maxsize=1)
def _is_stopped(deployment: Deployment, period: int) -> bool:
    """Looked at once in a period: it spares executions that would end at once, and decides nothing."""
    return bool(deployment.switch.stopped())
