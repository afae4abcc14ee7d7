"""One batch: read the errors, read back what was cut off, count each distinct error with one write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from functions.core.apps.app import App
from functions.core.aws.telemetry import logger
from functions.core.incidents.incident import Incident
from functions.core.notify.outbox import Outbox
from functions.core.untrusted.inert import inert_line
from functions.core.untrusted.redaction import redact
from functions.detect_errors.aliases import renamed
from functions.detect_errors.events import Batch, read_events
from functions.detect_errors.recorder import Recorder
from functions.detect_errors.sightings import Occurrence, occurrences, sightings
from functions.detect_errors.stream import ReadsLogs, around, those_of, unread


@dataclass(frozen=True, slots=True)
class Detected:
    """What a batch held: errors, the distinct incidents among them, and those that were counted before."""

    outcome: str
    errors: int
    incidents: int
    counted_before: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def detect(
    batch: Batch,
    app: App,
    recorder: Recorder,
    outbox: Outbox,
    logs: ReadsLogs,
    aliases: Mapping[str, str],
    stopped: bool = False,
) -> Detected:
    """Record the batch's errors: once per distinct error, whatever the number of events.

    aliases: fingerprint → that of the incident which had the error before the rules changed; stopped: whether
    all healing is.

    An error that cannot be written costs only itself: the others are, then botocore's ClientError is raised
    if a retry may mend it. What was counted is not counted again by the retry.
    """
    found = renamed(_read(batch, app, logs), aliases)
    seen = sightings(found, batch, app, redact, stopped)
    before = 0
    failed: ClientError | None = None
    for sighting in seen:
        try:
            recorded = recorder.record(sighting)
        except ClientError as error:
            logger().error("not recorded", extra={"incident_id": sighting.incident_id}, exc_info=error)
            if not _refused_for_good(error):
                failed = failed or error
            continue
        before += not recorded.counted
        if recorded.tell_waiting:
            outbox.tell(app, recorded.incident, *_told_waiting(recorded.incident), time.time())
        elif recorded.first and recorded.incident.is_never_healed:
            outbox.tell(app, recorded.incident, *_told_once(recorded.incident), time.time())
    if failed:
        raise failed
    return Detected(
        "recorded" if seen else "no_errors",
        len(found),
        len({sighting.incident_id for sighting in seen}),
        before,
    )


def _refused_for_good(error: ClientError) -> bool:
    """Whether the same item would be refused again, be it alone or in a transaction."""
    answer: dict[str, Any] = dict(error.response)
    reasons = answer.get("CancellationReasons") or [answer["Error"]]
    return any(reason.get("Code") in ("ValidationException", "ValidationError") for reason in reasons)


def _read(batch: Batch, app: App, logs: ReadsLogs) -> list[Occurrence]:
    rules = {"packages": app.packages, "roots": tuple(app.source_roots)}
    errors = read_events(batch.events, **rules)
    cut = [error for error in errors if error.needs_more]
    found = occurrences([error for error in errors if not error.needs_more], batch.events)
    if not cut:
        return found
    stream = around(logs, batch, cut)
    whole = those_of(batch, read_events(stream, **rules), stream)
    # An error that arrived whole may lie in the same stretch of the stream: it was counted above.
    counted = {(o.error.timestamp, o.error.fingerprint) for o in found}
    mended = [error for error in whole if (error.timestamp, error.fingerprint) not in counted]
    lost = unread(batch, cut, stream)
    return found + occurrences(mended, stream) + occurrences(lost, batch.events)


def _told_once(incident: Incident) -> tuple[str, str]:
    """Of an error that will not be healed: with its class, why, where, and what a human should do."""
    return (
        f"{incident.app}: {incident.title} ({incident.error_class})",
        f"{inert_line(incident.title)}\n"
        f"{_where(incident)}\n"
        f"Class: {incident.error_class}: {incident.class_reason}.\n"
        f"Next: {incident.next_action}\n\n"
        f"App {incident.app}, log group {incident.log_group}, stream {incident.log_stream}.\n"
        f"Incident {incident.incident_id}; it is counted from now on without further notice.\n",
    )


def _told_waiting(incident: Incident) -> tuple[str, str]:
    """Of the first error within an hour that may not ask for a heal."""
    return (
        f"[{incident.app}] Very many new errors: they are recorded, and not healed within this hour",
        f"{incident.reason}.\n\nThe first one that waits: {inert_line(incident.title)}\n"
        f"Incident {incident.incident_id}\n\n"
        f"{incident.next_action}\n"
        f"Every error is recorded and counted all the same: selfheal incidents --app {incident.app}\n"
        "Whoever can write to a log can bring this about; look whether they are real.\n",
    )


def _where(incident: Incident) -> str:
    own = [frame for frame in incident.frames if frame.in_app]
    return f"{own[-1].file}:{own[-1].line} {own[-1].function or ''}\n" if own else ""
