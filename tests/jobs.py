"""Jobs for the harness, as small as a test needs them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from functions.core.source.archive import Member, MemberKind, pack
from functions.harness.job import Job, RunLimits
from functions.harness.outcome import RunOutcome

NONCE = "5ca1ab1e" * 4
OPTIONS = ["-q", "-p", "no:cacheprovider", "--color=no", "-rN", "-o", "addopts="]
INCIDENT: dict[str, Any] = {"type": "KeyError", "message": "", "places": []}
PYTHON = sys.executable


def asked(**parts: Any) -> dict[str, Any]:
    """An experiment that asks for nothing but `parts`: see `functions.harness.experiment.experiment`."""
    search = {"kind": "search", **INCIDENT, "tests": [], "files": [], "calls": 200}
    return {
        "incident": INCIDENT, "tests": [], "times": 1, "seconds": 30.0, "search": search,
        "found": "test_found.py", "objection": "", "by_callers": False, "suite": None, "survey": search,
        "changed": search, "mutants": [], "known": {},
        "defined": {"app": ["rate", "total"]}, "pieces": [], "others": [], **parts,
    }  # fmt: skip


def command(
    *arguments: str, seconds: float = 30.0, broken: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The `suite` part: a command of the app's own, once on each tree; broken: files of a third run."""
    task = {"kind": "command", "args": list(arguments)}
    return {
        "task": task,
        "plain": None,
        "seconds": seconds,
        "left_out": [],
        "fetched": [],
        "broken": dict(broken or {}),
    }


def pytest_suite(*arguments: str, seconds: float = 60.0) -> dict[str, Any]:
    """The `suite` part: pytest, once on each tree."""
    task = {"kind": "pytest", "args": [*OPTIONS, *arguments]}
    return {"task": task, "plain": None, "seconds": seconds, "left_out": [], "fetched": []}


def tree(files: Mapping[str, str], links: Mapping[str, str] | None = None) -> bytes:
    """An archive of these files: path → text; and symbolic links: path → target."""
    members = [Member(path, text.encode()) for path, text in files.items()]
    members += [Member(path, target.encode(), MemberKind.SYMLINK) for path, target in (links or {}).items()]
    return pack(members)


def job(
    before: Mapping[str, str],
    after: Mapping[str, str] | None = None,
    *,
    python: str = "",
    dependencies: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    seconds: float = 120.0,
    limits: RunLimits | None = None,
    **parts: Any,
) -> Job:
    """A job. after: the same tree where it is not given; parts: of the experiment."""
    return Job(
        nonce=NONCE,
        python=python,
        experiment=asked(**parts),
        before=tree(before, links),
        after=tree(before if after is None else after, links),
        dependencies=tree(dependencies) if dependencies else b"",
        seconds=seconds,
        limits=limits or RunLimits(disk_bytes=32 << 20),
    )


def outcomes_of(report: bytes | None) -> list[RunOutcome]:
    """A report's outcomes. Fails with the report's problem where there is one."""
    told = json.loads(report or b"null")
    assert told and not told["problem"], told
    return [RunOutcome.from_json(row) for row in told["outcomes"]]
