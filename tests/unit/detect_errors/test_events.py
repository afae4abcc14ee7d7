"""Batches of log events: decoding, one event per line, and reading back what the filter left out."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from functions.core.incidents.incident import ErrorClass
from functions.detect_errors import events as events_module
from functions.detect_errors.events import (
    MAX_GAP_MS,
    MAX_UNPACKED,
    Batch,
    LogEvent,
    NotABatch,
    decode_batch,
    read_events,
)
from functions.detect_errors.model import ParsedError
from functions.detect_errors.read import read_errors
from functions.detect_errors.stream import those_of
from tests.log_texts import encode_batch

TEXT = """\
2026-11-20 13:39:18 INFO app: GET /x
Traceback (most recent call last):
  File "/app/store.py", line 7, in load
    return db[key]
KeyError: 'pk'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 3, in handle
    load(event)
svc.StoreError: cannot load
2026-11-20 13:39:19 INFO app: GET /y"""
LINES = TEXT.split("\n")
STREAM = [LogEvent(f"e{number}", 1_000 + number, line + "\n") for number, line in enumerate(LINES)]


def delivered(*events: LogEvent) -> Batch:
    return Batch("/aws/lambda/shop", "2026/11/20/[$LATEST]6b0b", "123456789012", events)


def test_a_batch_survives_encoding() -> None:
    batch = delivered(*STREAM)
    assert decode_batch(encode_batch(batch)) == batch


def test_a_control_message_carries_no_log() -> None:
    document = {
        "messageType": "CONTROL_MESSAGE",
        "logEvents": [{"id": "", "timestamp": 0, "message": "CWL probe"}],
    }
    assert decode_batch(base64.b64encode(gzip.compress(json.dumps(document).encode()))) is None


@pytest.mark.parametrize(
    "data",
    [
        "not base64!",
        base64.b64encode(b"not gzip"),
        base64.b64encode(gzip.compress(b"not json", mtime=0)),
        base64.b64encode(gzip.compress(b"[]", mtime=0)),
        base64.b64encode(gzip.compress(b'{"messageType": "DATA_MESSAGE"}', mtime=0)),
        base64.b64encode(gzip.compress(b"[" * 100_000, mtime=0)),
        base64.b64encode(gzip.compress(b" " * (MAX_UNPACKED + 1), mtime=0)),
    ],
)
def test_what_is_no_batch_is_refused(data: Any) -> None:
    with pytest.raises(NotABatch):
        decode_batch(data)


def test_events_of_the_wrong_shape_are_dropped() -> None:
    document = {"messageType": "DATA_MESSAGE", "logEvents": [None, {"message": 3}, {"id": 7, "message": "x"}]}
    batch = decode_batch(base64.b64encode(gzip.compress(json.dumps(document).encode())))
    assert batch is not None
    assert batch.events == (LogEvent("7", 0, "x"),)


def test_a_traceback_in_one_event_is_read_with_its_event() -> None:
    events = [LogEvent("a", 1, "fine"), LogEvent("b", 2, "\n".join(LINES[1:5])), LogEvent("c", 3, "fine")]
    (error,) = read_events(events)
    assert (error.type, error.event, error.event_id, error.timestamp) == ("KeyError", 1, "b", 2)


def test_one_event_per_line_is_one_error() -> None:
    (error,) = read_events(STREAM)
    (whole,) = read_errors("\n".join(LINES))
    assert (error.type, error.frames, error.chain) == (whole.type, whole.frames, whole.chain)
    assert error.fingerprint == whole.fingerprint
    assert (error.event, error.event_id, error.timestamp, error.needs_more) == (1, "e1", 1_001, False)


def completed(headers: Sequence[LogEvent], stream: Sequence[LogEvent]) -> list[ParsedError]:
    """The errors of the headers, read in the stream around them as detect.py does."""
    return those_of(delivered(*headers), read_events(stream), stream)


def test_headers_alone_are_completed_from_the_stream_and_count_once() -> None:
    headers = [event for event in STREAM if "Traceback" in event.message]
    incomplete = read_events(headers)
    assert [(error.event_id, error.needs_more) for error in incomplete] == [("e1", True), ("e8", True)]
    (whole,) = read_errors("\n".join(LINES))
    # The chain's second header leads to the same error, told by the event that it starts in.
    found = [(one.fingerprint, one.event_id, one.needs_more) for one in completed(headers, STREAM)]
    assert found == [(whole.fingerprint, "e1", False)]


def test_lambdas_head_alone_is_completed() -> None:
    lines = ["START RequestId: 1", "[ERROR] KeyError: 'x'", LINES[1], LINES[2], LINES[3], "END RequestId: 1"]
    stream = [LogEvent(f"e{number}", number, line) for number, line in enumerate(lines)]
    (error,) = read_events(stream[1:2])
    assert (error.needs_more, error.error_class) == (True, ErrorClass.CUT)
    (whole,) = completed(stream[1:2], stream)
    assert (whole.type, len(whole.frames), whole.needs_more) == ("KeyError", 1, False)


def test_a_header_and_an_exception_line_without_the_stack_between_need_it() -> None:
    (error,) = read_events([STREAM[1], STREAM[4]])
    assert (error.type, error.needs_more) == ("KeyError", True)


def test_what_the_stream_does_not_hold_stays_cut() -> None:
    (still,) = completed(STREAM[1:2], STREAM[:3])
    assert (still.needs_more, still.error_class) == (True, ErrorClass.CUT)
    assert completed(STREAM[1:2], STREAM[5:]) == []


def test_lines_far_apart_in_time_are_not_joined() -> None:
    late = [LogEvent(event.id, event.timestamp + 2 * MAX_GAP_MS, event.message) for event in STREAM[3:]]
    (still,) = completed(STREAM[1:2], [*STREAM[:3], *late])
    assert still.needs_more


def test_three_errors_behind_colons_are_three_also_with_one_event_a_line() -> None:
    lines = [line for turn in range(3) for line in (*LINES[1:5], f"attempt {turn} failed, because of:")]
    events = [LogEvent(f"e{number}", number, line) for number, line in enumerate(lines)]
    assert [error.event_id for error in read_events(events)] == ["e0", "e5", "e10"]


def test_what_exceeds_the_budget_of_a_delivery_is_said_and_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = "\n".join(LINES[1:5])
    monkeypatch.setattr(events_module, "MAX_CHARACTERS", 3 * len(whole))
    found = read_events([LogEvent(f"e{number}", number, whole) for number in range(5)])
    assert [error.type for error in found] == ["KeyError"] * 3 + [None]
    assert found[-1].title.startswith("left out by detection: 2 log events")
    assert (found[-1].error_class, found[-1].event_id) == (ErrorClass.CUT, "e3")


def test_a_storm_of_lines_yields_every_error_with_its_own_event() -> None:
    storm = [
        LogEvent(f"r{turn}-{event.id}", 100 * turn + event.timestamp, event.message)
        for turn in range(50)
        for event in STREAM
    ]
    errors = read_events(storm)
    assert len(errors) == 50
    assert len({error.fingerprint for error in errors}) == 1
    assert [error.event_id for error in errors] == [f"r{turn}-e1" for turn in range(50)]
