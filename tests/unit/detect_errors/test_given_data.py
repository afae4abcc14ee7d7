"""Real tracebacks with labels: each is read exactly, and each error is one incident."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from functions.detect_errors.fingerprint import VERSION
from functions.detect_errors.model import ParsedError, PrintedException
from functions.detect_errors.read import read_errors

DATA = Path(__file__).parents[2] / "data" / "detect_errors"
ACCURACY, PRECISION, RECALL = 0.99, 0.995, 0.98


def last_error(text: str) -> tuple[str | None, str | None, list[list[Any]]]:
    errors = read_errors(text)
    if not errors:
        return None, None, []
    message = errors[-1].message
    return errors[-1].type, None if message is None else message.split("\n")[0], places(errors[-1])


def places(raised: PrintedException | ParsedError) -> list[list[Any]]:
    return [[frame.file, frame.line, frame.function] for frame in raised.frames]


def members(raised: PrintedException | ParsedError) -> Iterator[PrintedException]:
    for member in raised.members:
        yield from member.chain
        yield member
        yield from members(member)


def test_type_message_and_all_frames_are_exact(tracebacks: list[dict[str, Any]]) -> None:
    wrong = [
        one["id"]
        for one in tracebacks
        if last_error(one["text"])
        != (one["exception_type"], one["exception_message_first_line"], one["frames"])
    ]
    assert 1 - len(wrong) / len(tracebacks) >= ACCURACY, wrong


def test_the_members_of_groups_are_read(tracebacks: list[dict[str, Any]]) -> None:
    groups = [one for one in tracebacks if one.get("sub_exceptions")]
    assert groups
    for one in groups:
        found = [
            [member.type, member.message.split("\n")[0], places(member)]
            for member in members(read_errors(one["text"])[-1])
            if member.frames
        ]
        assert sorted(found, key=str) == sorted(one["sub_exceptions"], key=str), one["id"]


def test_chained_tracebacks_are_one_error(tracebacks: list[dict[str, Any]]) -> None:
    for one in tracebacks:
        if one["style"] in ("plain", "lambda", "json", "logging", "asyncio") and one["frames"]:
            # The same error with and without its chain gets the chain both times.
            errors = list({error.fingerprint: error for error in read_errors(one["text"])}.values())
            stacks = [stack.frames for error in errors for stack in error.chain]
            headers = sum(map(bool, stacks + [error.frames for error in errors]))
            assert headers <= one["chained"] <= 2 * headers, one["id"]


def test_frames_of_the_app_are_told_from_libraries(tracebacks: list[dict[str, Any]]) -> None:
    for one in tracebacks:
        hint = one["in_app_hint"]
        for error in read_errors(one["text"]):
            for frame in error.frames:
                assert frame.why
                path = frame.file.replace("\\", "/")
                if "/site-packages/" in path or "/lib/python" in path or path.startswith("<"):
                    assert not frame.in_app, frame
                elif hint and frame.file.startswith(hint) and "/vendor/" not in path:
                    assert frame.in_app, frame


def test_one_bug_is_one_incident_and_two_bugs_are_two(groups: list[dict[str, Any]]) -> None:
    by_group: dict[str, list[tuple[str, str]]] = {}
    for one in groups:
        bug = one["group"] + one.get("side", "")
        by_group.setdefault(one["group"], []).append((bug, read_errors(one["text"])[-1].fingerprint))
    pairs = [pair for found in by_group.values() for pair in itertools.combinations(found, 2)]
    merged = [(a[0] == b[0]) for a, b in pairs if a[1] == b[1]]
    same = [a[1] == b[1] for a, b in pairs if a[0] == b[0]]
    assert sum(merged) / len(merged) >= PRECISION, [a for a, b in pairs if a[1] == b[1] and a[0] != b[0]]
    assert sum(same) / len(same) >= RECALL, [a for a, b in pairs if a[1] != b[1] and a[0] == b[0]]


def test_fingerprints_of_this_version_never_change(
    tracebacks: list[dict[str, Any]], groups: list[dict[str, Any]]
) -> None:
    golden = json.loads((DATA / f"fingerprints_v{VERSION}.json").read_text())
    texts = {one["id"]: one["text"] for one in tracebacks}
    texts |= {one.get("variant") or one["group"] + one["side"]: one["text"] for one in groups}
    assert {name: [e.fingerprint for e in read_errors(text)] for name, text in texts.items()} == golden
