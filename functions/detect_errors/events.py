"""Log events as CloudWatch Logs delivers them: a batch in, errors with the event that each starts in out.

A service that logs one event per line delivers a traceback in pieces, and a subscription filter lets only the
matching pieces through. So neighbouring one-line events are read together, and an error whose end is missing
says so (`needs_more`): the caller reads the stream around its timestamp, and reads what that holds as one.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from functions.core.notify.counts import counted
from functions.detect_errors.grammar import BARE_HEADER
from functions.detect_errors.model import ParsedError
from functions.detect_errors.read import reader, with_chains

# A subscription delivers at most 1 MiB compressed; this bounds what a hostile archive may unpack to.
MAX_UNPACKED = 64 * 1024 * 1024
# Enough for a chain of deep tracebacks; a recursion is printed in at most a few hundred lines.
MAX_JOINED_EVENTS = 2_000
# What one delivery may cost: everything the reader does is linear, so characters are what is bounded. Real
# ones hold about 10 MB; this many are read in 30 seconds at worst.
MAX_CHARACTERS = 32 * 1024 * 1024
# How far apart two lines of one traceback may be written, in milliseconds.
MAX_GAP_MS = 5_000


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One log event. timestamp: milliseconds since 1970 in UTC."""

    id: str
    timestamp: int
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One delivery of a subscription: events of one stream, in order."""

    log_group: str
    log_stream: str
    owner: str
    events: tuple[LogEvent, ...]


class NotABatch(ValueError):
    """The payload is not what a CloudWatch Logs subscription delivers. The message says what is wrong."""


def decode_batch(data: str | bytes) -> Batch | None:
    """Decode `awslogs.data`: base64 of gzip of JSON. None for a control message, which carries no log.

    Raises NotABatch for anything else. Events without text are dropped.
    """
    try:
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        unpacked = unpacker.decompress(base64.b64decode(data), MAX_UNPACKED)
        if unpacker.unconsumed_tail:
            raise NotABatch(f"the payload unpacks to more than {MAX_UNPACKED} bytes")
        document = json.loads(unpacked)
    except (ValueError, zlib.error, RecursionError) as error:
        if isinstance(error, NotABatch):
            raise
        raise NotABatch(f"the payload is not base64 of gzip of JSON: {type(error).__name__}") from error
    if not isinstance(document, dict) or not isinstance(document.get("logEvents"), list):
        raise NotABatch("the payload has no list of log events")
    if document.get("messageType") != "DATA_MESSAGE":
        return None
    return Batch(
        log_group=str(document.get("logGroup", "")),
        log_stream=str(document.get("logStream", "")),
        owner=str(document.get("owner", "")),
        events=tuple(_events(document["logEvents"])),
    )


def _events(entries: list[Any]) -> Iterable[LogEvent]:
    for entry in entries:
        if isinstance(entry, dict) and isinstance(message := entry.get("message"), str) and message:
            timestamp = entry.get("timestamp")
            yield LogEvent(str(entry.get("id", "")), timestamp if isinstance(timestamp, int) else 0, message)


def read_events(
    events: Sequence[LogEvent], *, packages: Sequence[str] = (), roots: Sequence[str] = ()
) -> list[ParsedError]:
    """All errors of a batch, in order, each with the index, id and timestamp of the event it starts in.

    One-line events that follow one another are read as one text if one of them can be part of a traceback.
    """
    read = reader(tuple(packages), tuple(roots))
    errors: list[ParsedError] = []
    budget = MAX_CHARACTERS
    for first, run in _runs(events):
        text = "\n".join(event.message.rstrip("\r\n") for event in run)
        budget -= len(text)
        if budget < 0:
            more = len(events) - first
            said = f"{counted(more, 'log event')} of a delivery, beyond {MAX_CHARACTERS} characters"
            found = [read.left_out(said)]
        else:
            found = read.read(text)
        for error in found:
            index = min(error.line, len(run) - 1) if len(run) > 1 else 0
            event = run[index]
            errors.append(error._replace(event=first + index, event_id=event.id, timestamp=event.timestamp))
        if budget < 0:
            break
    return with_chains(errors)


def _adjacent(before: LogEvent, event: LogEvent) -> bool:
    return abs(event.timestamp - before.timestamp) <= MAX_GAP_MS


def _runs(events: Sequence[LogEvent]) -> Iterable[tuple[int, Sequence[LogEvent]]]:
    """Events to read together, with the index of the first: lines of a possible traceback, or one event."""
    index = 0
    while index < len(events):
        end = index + 1
        if _is_line(events[index]):
            last = min(len(events), index + MAX_JOINED_EVENTS)
            while end < last and _is_line(events[end]) and _adjacent(events[end - 1], events[end]):
                end += 1
            if not any(BARE_HEADER in one.message or 'File "' in one.message for one in events[index:end]):
                end = index + 1
        yield index, events[index:end]
        index = end


def _is_line(event: LogEvent) -> bool:
    message = event.message
    # A JSON record is whole in itself, except for envelopes of single lines, which never hold a stack.
    return "\n" not in message.rstrip("\r\n") and not (message[:1] == "{" and "\\n  File " in message)
