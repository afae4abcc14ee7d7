"""Batches of log events: decoding, one event per line, and reading back what the filter left out."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from functions.detect_errors.events import (
    MAX_GAP_MS,
    MAX_UNPACKED,
    Batch,
    LogEvent,
    NotABatch,
    decode_batch,
    encode_batch,
    read_back,
    read_events,
)
from functions.detect_errors.read import read_errors

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


def test_headers_alone_are_completed_from_the_stream_and_count_once() -> None:
    headers = [event for event in STREAM if "Traceback" in event.message]
    incomplete = read_events(headers)
    assert [(error.event_id, error.needs_more) for error in incomplete] == [("e1", True), ("e8", True)]
    completed = [read_back(error, STREAM) for error in incomplete]
    (whole,) = read_errors("\n".join(LINES))
    found = {(one.fingerprint, one.event_id, one.needs_more) for one in completed if one is not None}
    # The chain's second header leads to the same error, told by the event that it starts in.
    assert found == {(whole.fingerprint, "e1", False)}


def test_lambdas_head_alone_is_completed() -> None:
    lines = ["START RequestId: 1", "[ERROR] KeyError: 'x'", LINES[1], LINES[2], LINES[3], "END RequestId: 1"]
    stream = [LogEvent(f"e{number}", number, line) for number, line in enumerate(lines)]
    (error,) = read_events(stream[1:2])
    assert error.needs_more
    whole = read_back(error, stream)
    assert whole is not None
    assert (whole.type, len(whole.frames), whole.needs_more) == ("KeyError", 1, False)


def test_what_the_stream_does_not_hold_stays_incomplete() -> None:
    (error,) = read_events(STREAM[1:2])
    still = read_back(error, STREAM[:3])
    assert still is not None
    assert still.needs_more
    assert read_back(error, STREAM[5:]) is None


def test_lines_far_apart_in_time_are_not_joined() -> None:
    late = [LogEvent(event.id, event.timestamp + 2 * MAX_GAP_MS, event.message) for event in STREAM[3:]]
    (error,) = read_events(STREAM[1:2])
    still = read_back(error, [*STREAM[:3], *late])
    assert still is not None
    assert still.needs_more


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
