"""The labelled log texts under tests/data/detect_errors, and what the reader makes of them.

Half of each collection ("looked at") was read while the rules were written; of the other half ("counted")
only the count was ever printed.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from functions.detect_errors.events import Batch
from functions.detect_errors.model import ParsedError
from functions.detect_errors.read import read_errors

DATA = Path(__file__).parent / "data" / "detect_errors"
HALVES = ("looked at", "counted")
_CRASH = (
    'Traceback (most recent call last):\n  File "/app/svc/orders.py", line 31, in handle\n    send(order)\n'
)


def rows(name: str) -> list[dict[str, Any]]:
    """The lines of one JSON collection."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def operational(name: str) -> list[dict[str, Any]]:
    """Exceptions as libraries raise them: library, the classes that are right, and the text of a crash."""
    found = []
    for number, line in enumerate((DATA / f"{name}.tsv").read_text(encoding="utf-8").splitlines()):
        library, classes, last = line.split("\t")
        text = _CRASH + last.replace("\\n", "\n").replace("\\t", "\t") + "\n"
        right = {"class": classes.split("|")}
        found.append(
            {"id": last, "half": HALVES[number % 2], "library": library, "text": text, "right": right}
        )
    return found


def answer(errors: list[ParsedError]) -> dict[str, Any]:
    """What is asked of the last error of a text."""
    if not errors:
        return {"errors": 0, "type": None}
    last = errors[-1]
    return {
        "errors": len(errors),
        "type": last.type,
        "class": str(last.error_class),
        "frames": len(last.frames),
        "own_frames": sum(frame.in_app for frame in last.frames),
        "message_lines": (last.message or "").count("\n") + 1,
        "chain": len(last.chain),
        "members": len(last.members),
    }


def wrong(row: dict[str, Any]) -> dict[str, Any]:
    """What is read otherwise than the row says is right; empty when all is well."""
    got = answer(read_errors(row["text"]))
    return {
        key: got.get(key)
        for key, right in row["right"].items()
        if (got.get(key) not in right if isinstance(right, list) else got.get(key) != right)
    }


def confused(pair: dict[str, Any]) -> bool:
    """Whether a pair of texts is merged that are two errors, or split that are one."""
    a, b = ([error.fingerprint for error in read_errors(text)][-1:] for text in (pair["a"], pair["b"]))
    return (a == b) is not pair["same"]


def encode_batch(batch: Batch) -> str:
    """The inverse of `decode_batch`: what a subscription would deliver, to replay or to test."""
    events = [
        {"id": event.id, "timestamp": event.timestamp, "message": event.message} for event in batch.events
    ]
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": batch.owner,
        "logGroup": batch.log_group,
        "logStream": batch.log_stream,
        "subscriptionFilters": [],
        "logEvents": events,
    }
    return base64.b64encode(gzip.compress(json.dumps(document).encode(), mtime=0)).decode()
