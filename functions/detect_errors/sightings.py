"""From the errors of a delivered batch to what the table counts: one sighting per distinct error."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from functions.core.apps.app import App
from functions.core.apps.modes import Mode
from functions.core.incidents.incident import ErrorClass, Frame
from functions.detect_errors.events import Batch, LogEvent
from functions.detect_errors.model import ParsedError
from functions.detect_errors.recorder import Sighting

SAMPLE_LIMIT = 16_000
"""Characters of log text kept of an incident; a DynamoDB item holds 400 KB, and people read a page."""

_TITLE_LIMIT = 200
# Incidents that may ask for each heal that may begin: some are healed with another one, or held for other
# reasons. Each takes an execution, and whoever can write to a log decides how many errors there are.
_ASKING = 4
_MOST_CAUSES = 40
# Most telling first: a version is used when the repository has a tag of that name. Sources: OpenTelemetry's
# semantic conventions (vcs.ref.head.revision, service.version), Datadog (git.commit.sha, dd.version), Sentry.
_REVISION_KEYS = (
    *("git_sha", "git_commit", "commit_sha", "commit", "git.commit.sha", "vcs.ref.head.revision", "revision"),
    *("sha", "release", "service.version", "dd.version", "app_version", "version"),
)
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,99}")
_MESSAGE_LINES = 120
"""Lines taken for the sample where each line is an event of its own."""

# What is kept of a stack: a DynamoDB item holds 400 KB, which a stranger who can make a program recurse, or
# write to its log, could fill. 60 frames and 40 causes of 750 characters of 4 bytes are below 300 KB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_FIRST, _LAST, _LAST_OWN = 10, 40, 10
_FILE, _FUNCTION, _CODE = 300, 150, 300


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One error with the log text around it."""

    error: ParsedError
    text: str


def occurrences(errors: Iterable[ParsedError], events: Sequence[LogEvent]) -> list[Occurrence]:
    """Each error with its event's text; of one-line events, with the lines that follow."""
    return [Occurrence(error, _text(events, error.event)) for error in errors]


def sightings(
    found: Sequence[Occurrence],
    batch: Batch,
    app: App,
    redact: Callable[[str], str],
    stopped: bool = False,
) -> list[Sighting]:
    """One sighting per distinct fingerprint and line, counted. What people will read is redacted here.

    Lines count because the recorder knows those where another class's function fails alike: see
    `Incident.twins`. stopped: whether all healing is, as far as that is known.
    """
    groups: dict[tuple[str, int | None], list[Occurrence]] = {}
    for occurrence in found:
        error = occurrence.error
        line = next((frame.line for frame in reversed(error.frames) if frame.in_app), None)
        groups.setdefault((error.fingerprint, line), []).append(occurrence)
    delivery = delivery_id(batch)
    redact = cache(redact)  # hundreds of errors may stand in the text of one event
    return [
        _sighting(group, batch, app, redact, _of_line(delivery, line), stopped)
        for (_, line), group in groups.items()
    ]


def _of_line(delivery: bytes, line: int | None) -> bytes:
    """The delivery's id for what failed on this line: of one incident, too, each line is counted once."""
    return hashlib.blake2b(delivery, digest_size=8, salt=b"%d" % (line or 0)).digest()


def delivery_id(batch: Batch) -> bytes:
    """8 bytes that are the same whenever the same events are delivered again."""
    digest = hashlib.blake2b(digest_size=8)
    for part in (batch.log_group, batch.log_stream):
        digest.update(part.encode() + b"\0")
    for event in batch.events:
        # Ids are CloudWatch's own; where a test or a replay has none, the event itself identifies it.
        digest.update((event.id or f"{event.timestamp}{event.message}").encode() + b"\0")
    return digest.digest()


def _sighting(
    group: Sequence[Occurrence],
    batch: Batch,
    app: App,
    redact: Callable[[str], str],
    delivery: bytes,
    stopped: bool,
) -> Sighting:
    first = group[0].error
    times = [occurrence.error.timestamp for occurrence in group]
    heals = app.starts_heals(first.error_class)
    observes = app.mode_of(first.error_class) is Mode.OBSERVE
    return Sighting(
        app=app.name,
        fingerprint=first.fingerprint,
        error_type=(first.type or "")[:_TITLE_LIMIT],
        title=redact(first.title[: _TITLE_LIMIT * 2])[:_TITLE_LIMIT],
        error_class=first.error_class,
        class_reason=first.reason,
        next_action="" if heals else _by_hand(first, app),
        sample=redact(group[0].text[:SAMPLE_LIMIT]),
        frames=kept(first.frames, redact),
        count=len(group),
        first_seen=_iso(min(times)),
        last_seen=_iso(max(times)),
        log_group=batch.log_group,
        log_stream=batch.log_stream,
        delivery_id=delivery,
        heals=heals,
        heals_now=not (stopped or app.paused or observes),
        causes=kept(own_causes(first), redact),
        revision=revision_in(group[-1].text),
        may_ask=_ASKING * app.max_heals_per_hour,
        first_name=app.first_name,
    )


def _by_hand(error: ParsedError, app: App) -> str:
    """What people can do about an error that is not healed in this app."""
    if error.error_class is not ErrorClass.CODE:
        return error.next_action
    return (
        f"Mend it by hand: {app.name} heals no errors of class code. To have this one healed all the same:"
        f" selfheal retry {app.incident_id(error.fingerprint)}"
    )


def revision_in(text: str) -> str:
    """The commit or version that a JSON log record names in a field of its own; "" for any other text.

    Only fields at the top count: what lies deeper, or in a message, may be what a stranger sent.
    """
    if not text.startswith("{"):
        return ""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if isinstance(record, dict):
        for key in _REVISION_KEYS:
            value = record.get(key)
            if isinstance(value, str) and _REVISION.fullmatch(value):
                return value
    return ""


def own_causes(error: ParsedError) -> tuple[Frame, ...]:
    """The app's own frames of the exceptions that led to an error and of those that it groups, each once."""
    shown = set(error.frames)
    found: list[Frame] = []
    waiting = [*reversed(error.members), *reversed(error.chain)]
    while waiting:
        raised = waiting.pop()
        waiting += [*reversed(raised.members), *reversed(raised.chain)]
        found += [frame for frame in raised.frames if frame.in_app and frame not in shown]
        shown.update(raised.frames)
    return tuple(found[-_MOST_CAUSES:])


def _text(events: Sequence[LogEvent], index: int) -> str:
    message = events[index].message
    if "\n" in message.rstrip() or message.lstrip().startswith("{"):
        return message
    lines = []
    for event in events[index : index + _MESSAGE_LINES]:
        if "\n" in event.message.rstrip():
            break
        lines.append(event.message.rstrip("\r\n"))
    return "\n".join(lines)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def kept(frames: Sequence[Frame], redact: Callable[[str], str]) -> tuple[Frame, ...]:
    """The outermost and innermost frames and the innermost of the app's own, in order, redacted and cut."""
    own = [index for index, frame in enumerate(frames) if frame.in_app]
    chosen = {*range(_FIRST), *range(len(frames) - _LAST, len(frames)), *own[-_LAST_OWN:]}
    return tuple(_cut(frame, redact) for index, frame in enumerate(frames) if index in chosen)


def _cut(frame: Frame, redact: Callable[[str], str]) -> Frame:
    """Cut behind what redaction needs to recognise a secret, then redacted, then cut."""
    return replace(
        frame,
        file=redact(frame.file[: 4 * _FILE])[:_FILE],
        function=None if frame.function is None else redact(frame.function[: 4 * _FUNCTION])[:_FUNCTION],
        code=redact(frame.code[: 4 * _CODE])[:_CODE],
    )
