"""JSON records, platform lines and texts that hold several things: what is found, in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.detect_errors.grammar import CAUSE, HEADER
from functions.detect_errors.model import ParsedError
from functions.detect_errors.read import read_errors

TRACEBACK = """\
Traceback (most recent call last):
  File "/app/x.py", line 3, in f
    g()
KeyError: 'x'
"""
ID = "8f5ffbd2-6d4a-4e7f-9c53-2f7a0a1b7c11"
LAMBDA_FRAME = '  File "/app/x.py", line 3, in f\n    g()\n'
OBJECT_FRAME = {"file": "/app/x.py", "line": 3, "function": "f", "statement": "g()"}
STRUCTLOG_FRAME = {"filename": "/app/x.py", "lineno": 3, "name": "f"}
STRUCTLOG = {
    "exc_type": "KeyError",
    "exc_value": "'x'",
    "is_cause": False,
    "frames": [STRUCTLOG_FRAME],
    "exceptions": [],
}
STRUCTLOG_CAUSE = STRUCTLOG | {"exc_type": "OSError", "exc_value": "gone", "is_cause": True}
SENTRY = {"type": "KeyError", "value": "'x'", "stacktrace": {"frames": [OBJECT_FRAME]}}
LAMBDA = {"errorType": "KeyError", "errorMessage": "'x'", "stackTrace": [LAMBDA_FRAME]}


def facts(error: ParsedError) -> tuple[Any, ...]:
    return error.type, error.message, [(frame.file, frame.line, frame.function) for frame in error.frames]


@pytest.mark.parametrize(
    "record",
    [
        LAMBDA,
        LAMBDA | {"stackTrace": [["/app/x.py", 3, "f", "g()"]]},
        {"level": "ERROR", "location": "f:3", **LAMBDA},
        {"requestPayload": {}, "responsePayload": LAMBDA},
        {"level": "ERROR", "exception": TRACEBACK.rstrip(), "exception_name": "KeyError"},
        {"level": "ERROR", "stack_trace": {"type": "KeyError", "value": "'x'", "frames": [OBJECT_FRAME]}},
        {
            "exception": TRACEBACK,
            "stack_trace": {"type": "KeyError", "value": "'x'", "frames": [OBJECT_FRAME]},
        },
        {"levelname": "ERROR", "exc_info": TRACEBACK},
        {"levelname": "ERROR", "exc_info": TRACEBACK.split("\n")[:-1]},
        {"event": "failed", "level": "error", "exception": [STRUCTLOG]},
        {"exception": {"values": [SENTRY]}},
        {"text": "it failed\n" + TRACEBACK, "record": {"exception": {"type": "KeyError", "value": "'x'"}}},
        {"log.level": "error", "error": {"type": "KeyError", "message": "'x'", "stack_trace": TRACEBACK}},
        {"attributes": {"exception.type": "KeyError", "exception.stacktrace": TRACEBACK}},
        {"severity": "ERROR", "message": "failed\n" + TRACEBACK},
        {"log": json.dumps({"level": "ERROR", "exception": TRACEBACK})},
        [{"@message": TRACEBACK}],
    ],
)
def test_a_json_record_holds_one_error(record: Any) -> None:
    errors = read_errors(json.dumps(record))
    assert [facts(error) for error in errors] == [("KeyError", "'x'", [("/app/x.py", 3, "f")])]


def test_structlog_lists_what_propagated_first() -> None:
    (error,) = read_errors(json.dumps({"exception": [STRUCTLOG, STRUCTLOG_CAUSE]}))
    assert error.type == "KeyError"
    assert [(cause.type, cause.relation) for cause in error.chain] == [("OSError", "cause")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all is well\n",
        '{"level": "INFO", "message": "fine"}\n',
        '{"level": "INFO", "message": {"id": 1}}\n',
        "WARNING:django.request:Not Found: /x\n",
        "the header is 'Traceback (most recent call last):', he said\n",
        'Stack (most recent call last):\n  File "/app/x.py", line 3, in f\n    log.info(1)\n',
        f"START RequestId: {ID} Version: $LATEST\nEND RequestId: {ID}\n",
        "{" * 5000,
        "[" * 5000,
    ],
)
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    assert read_errors(text) == []


TIMED_OUT = "Task timed out after 3.00 seconds"
EXITED = "Runtime exited with error: exit status 3"
KILLED = "Worker (pid:7) was sent SIGKILL! Perhaps out of memory?"
DECLINED = f"[ERROR]\t2026-11-20T13:39:00.076Z\t{ID}\tcard declined"
REPORT = {"type": "platform.report", "record": {"status": "timeout", "metrics": {"durationMs": 3000.0}}}
PAYLOAD = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {ID} Error: {TIMED_OUT}"}


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (f"2026-06-11T09:30:21.118Z {ID} {TIMED_OUT}\n\n", TIMED_OUT),
        (f"REPORT RequestId: {ID}\tDuration: 3000.00 ms\tStatus: timeout\n", "Task timed out"),
        (f"RequestId: {ID} Error: {EXITED}\nRuntime.ExitError\n", EXITED),
        (
            f"RequestId: {ID} Process exited before completing request\n",
            "Process exited before completing request",
        ),
        (f"[1] {KILLED}\n", KILLED),
        (json.dumps(REPORT), TIMED_OUT),
        (json.dumps(PAYLOAD), TIMED_OUT),
        (json.dumps({"responsePayload": PAYLOAD}), TIMED_OUT),
        (DECLINED, DECLINED),
    ],
)
def test_what_the_platform_says_has_no_exception(text: str, title: str) -> None:
    (error,) = read_errors(text)
    assert (error.type, error.message, error.frames, error.title) == (None, None, (), title)


def test_a_killed_invocation_is_one_incident_whatever_its_request() -> None:
    text = f"2026-06-11T09:30:21.118Z {ID} Task timed out after 3.00 seconds\n"
    other = text.replace("8f5ffbd2", "00000000").replace("3.00", "3.01")
    assert read_errors(text)[0].fingerprint == read_errors(other)[0].fingerprint


def test_errors_stand_in_the_order_of_the_text() -> None:
    text = (
        '{"level": "ERROR", "exc_info": '
        + json.dumps(TRACEBACK.replace("KeyError", "FirstError"))
        + "}\n"
        + TRACEBACK.replace("KeyError", "SecondError")
        + f"2026-06-11T09:30:21.118Z {ID} Task timed out after 3.00 seconds\n"
        + TRACEBACK.replace("KeyError", "ThirdError")
    )
    errors = read_errors(text)
    assert [error.type for error in errors] == ["FirstError", "SecondError", None, "ThirdError"]
    assert [error.line for error in errors] == [0, 1, 5, 6]


def test_a_quoted_traceback_belongs_to_the_message() -> None:
    text = TRACEBACK.replace("'x'", "child failed:\n" + TRACEBACK)
    (error,) = read_errors(text)
    assert error.type == "KeyError"
    assert (error.message or "").startswith("child failed:\nTraceback")
    assert [(cause.type, cause.relation, len(cause.frames)) for cause in error.chain] == [
        ("KeyError", "quoted", 1)
    ]


@pytest.mark.parametrize(
    "said",
    [
        HEADER,
        f"  + Exception Group {HEADER}",
        f"+ Exception Group {HEADER}",
        f"x\n  + Exception Group {HEADER}",
    ],
)
def test_a_message_that_spells_a_header_opens_nothing(said: str) -> None:
    raised = TRACEBACK.replace("'x'", said)
    (error,) = read_errors(f"LookupError: {said}\n\n{CAUSE}\n\n{raised}")
    assert facts(error) == ("KeyError", said, [("/app/x.py", 3, "f")])
    assert [(cause.type, cause.message, cause.relation) for cause in error.chain] == [
        ("LookupError", said, "cause")
    ]


def test_a_source_line_may_hold_json() -> None:
    text = TRACEBACK.replace("    g()", '    {"message": "boom"}')
    assert [facts(error) for error in read_errors(text)] == [("KeyError", "'x'", [("/app/x.py", 3, "f")])]


@pytest.mark.parametrize(
    ("text", "kind", "frames"),
    [
        ("[ERROR] KeyError: 'x'\n", "KeyError", 0),
        ("[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n", "KeyError", 0),
        ("Traceback (most recent call last):\n", None, 0),
        ("web-1 | Traceback (most recent call last):\n", None, 0),
        ("2026-01-01 00:00:00,1 ERROR [w] Traceback (most recent call last):", None, 0),
        ("w | Traceback (most recent call last):\nw | 2026-01-01 00:00:01,1 ERROR other\n", None, 0),
        (TRACEBACK[: TRACEBACK.index("KeyError")], None, 1),
        (TRACEBACK[: TRACEBACK.index(", line 3")], None, 0),
        (LAMBDA_FRAME, None, 1),
    ],
)
def test_a_cut_text_says_that_more_is_needed(text: str, kind: str | None, frames: int) -> None:
    (error,) = read_errors(text)
    assert (error.type, len(error.frames), error.needs_more) == (kind, frames, True)


def test_a_text_cut_at_its_start_is_read_from_where_it_goes_on() -> None:
    (error,) = read_errors("    return f(x)\n" + TRACEBACK.partition("\n")[2])
    assert facts(error) == ("KeyError", "'x'", [("/app/x.py", 3, "f")])
    assert error.needs_more, "the frame that is gone may be the app's, and tells errors apart"


def test_another_threads_record_in_between_is_left_out() -> None:
    text = TRACEBACK.replace("    g()", "2026-01-01 00:00:00,1 INFO other thread\n    g()")
    assert [facts(error) for error in read_errors(text)] == [("KeyError", "'x'", [("/app/x.py", 3, "f")])]


OTHER = 'Traceback (most recent call last):\n  File "/app/y.py", line 9, in h\n    k()\nValueError: y\n'
HEADER = "Traceback (most recent call last):"
AGAIN = "\nDuring handling of the above exception, another exception occurred:\n\n"
LED = "\nThe above exception was the direct cause\nof the following exception:\n\n"
INVERTED = "\nThe above exception was caused by the following exception:\n"
MAPPING = "config:\n  port: 3\n  host: db\n"
EXTRA = {
    "objects one behind the other": "".join(json.dumps({"exc_info": t}) for t in (TRACEBACK, OTHER)),
    "a print of a mapping behind an indented message": OTHER.replace(": y", ": y\n  z") + MAPPING + TRACEBACK,
    "eighteen workers": "".join(f"w{n} | {line}\n" for n in range(18) for line in TRACEBACK.splitlines()),
    "headers alone": "".join(f"1{n}:00:00 w | Traceback (most recent call last):\n" for n in range(2)),
    "messages that name a header": TRACEBACK.replace("'x'", HEADER)
    + AGAIN
    + TRACEBACK.replace("'x'", HEADER),
    "a hundred workers": "".join(f"w{n} | {line}\n" for line in TRACEBACK.splitlines() for n in range(100)),
    "a chain sentence that a terminal broke": TRACEBACK + LED + OTHER,
    "causes below": OTHER + INVERTED + TRACEBACK + INVERTED + TRACEBACK,
    "a colon without a stack above": ": " + TRACEBACK,
    "stackprinter": TRACEBACK.partition("\n")[2]
    .replace('  File "', 'File "')
    .replace("    g()", "--> 3        g()\n")
    + "\n",
}
FOUND = {
    "objects one behind the other": ["KeyError", "ValueError"],
    "a print of a mapping behind an indented message": ["ValueError", "KeyError"],
    "eighteen workers": ["KeyError"] * 18,
    "headers alone": [None, None],
    "messages that name a header": ["KeyError"],
    "a hundred workers": ["KeyError"] * 100,
    "a chain sentence that a terminal broke": ["ValueError"],
    "causes below": ["ValueError"],
    "a colon without a stack above": ["KeyError"],
    "stackprinter": ["KeyError"],
}


@pytest.mark.parametrize("name", EXTRA)
def test_no_error_is_lost_or_taken_for_another_s_message(name: str) -> None:
    errors = read_errors(EXTRA[name])
    assert [error.type for error in errors] == FOUND[name]
    assert all(error.frames or error.needs_more for error in errors)
    assert all("port" not in (error.message or "") for error in errors)


@pytest.mark.parametrize(
    ("text", "read", "said"),
    [
        (
            "".join(f"w{n} | {line}\n" for line in TRACEBACK.splitlines() for n in range(300)),
            256,
            "the errors of 44 more sources of a text",
        ),
        (json.dumps({"rows": [{"n": 1}] * 6_000, "exc_info": TRACEBACK}), 1, "1,003 fields of a record"),
        ("\n".join(["ERROR no"] * 60), 50, "10 more lines at level ERROR"),
    ],
)
def test_what_is_left_out_is_counted_and_said(text: str, read: int, said: str) -> None:
    *errors, last = read_errors(text)
    whole = [error for error in errors if not error.needs_more]
    assert (len(whole), last.title) == (read, f"left out by detection: {said}")


def test_what_caused_what_is_turned_round() -> None:
    (error,) = read_errors(EXTRA["causes below"])
    assert [cause.type for cause in error.chain] == ["KeyError", "KeyError"]
    assert {cause.relation for cause in error.chain} == {"cause"}


@pytest.mark.parametrize(
    ("line", "type_name"),
    [
        (
            "ERROR worker kafka.errors.NoBrokersAvailable: NoBrokersAvailable",
            "kafka.errors.NoBrokersAvailable",
        ),
        ("ERROR app.Service: could not", None),
        ("ERROR exchange.Order: filled", None),
    ],
)
def test_a_line_names_an_exception_or_a_logger(line: str, type_name: str | None) -> None:
    assert [error.type for error in read_errors(line + "\n")] == [type_name]
