"""What came back from a build: text that strangers may have written, believed only where it is whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from functions.core.redaction import redact
from functions.validate_patch import reproduce
from functions.validate_patch.codebuild.bundle import NO_PYTHON
from functions.validate_patch.sandbox.sandbox import Outcome

MOST_BYTES = 48 * 1024 * 1024
"""Of `results/report.json`: more than an honest driver writes (eight runs, each bounded)."""
_OUTPUT = 16 * 1024
_STOPPED = ("", "time", "output")
_VERSION = re.compile(r"[0-9A-Za-z.+]{1,20}")

Runs = tuple[tuple[Outcome, ...], tuple[Outcome, ...]]
"""Before and after the patch."""


class NotRun(Exception):
    """The build could not run anything, and why: nothing about the patch follows from that."""


class NotBelieved(Exception):
    """Code under test was run, and what is there is not what the driver writes. It counts as a failure:
    else a patch that breaks its own proof would pass as one that could not be proven."""


@dataclass(frozen=True, slots=True)
class Results:
    """A report as the driver wrote it."""

    python: str
    pytest_problem: str
    """Why pytest could not be imported; "" when it could."""
    reproduction: Runs | None
    suite: Runs | None
    plain: bool
    """Whether the suite ran without the options in the repository's configuration."""


def read(report: bytes | None, ended: bytes, nonce: str) -> Results:
    """The results of a build that ended well.

    report: what lies at `results/report.json`; b"" when the build left none, None when it is too large.
    ended: what the shell wrote of the driver's end.
    Raises NotRun and NotBelieved, each with the reason.
    """
    if report is None:
        raise NotBelieved(f"the build's report is larger than {MOST_BYTES:,} bytes")
    if not report:
        code = ended.decode("ascii", "replace").strip()[:3]
        if code == str(NO_PYTHON):
            raise NotRun("the build's image has no python3")
        raise NotBelieved(f"the build ended before it could report (exit code {code or 'unknown'})")
    try:
        data = json.loads(report)
        if data["nonce"] != nonce:
            raise NotBelieved("the build's report is not the one of this patch")
        return _results(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotBelieved("the build's report is not what the driver writes") from error


def _results(data: dict[str, Any]) -> Results:
    if problem := _line(data["problem"]):
        if data.get("started"):
            raise NotBelieved(f"the build could not run to its end: {problem}")
        raise NotRun(f"the build could not start: {problem}")
    suite = data.get("suite")
    return Results(
        python=found[0] if (found := _VERSION.match(data["python"])) else "unknown",
        pytest_problem="" if data["pytest"] else _line(data["pytest_problem"]) or "no reason given",
        reproduction=_runs(data["reproduction"], reproduce.TIMES) if data.get("reproduction") else None,
        suite=_runs({tree: [suite[tree]] for tree in ("before", "after")}, 1) if suite else None,
        plain=bool(suite and suite["plain"]),
    )


def _runs(data: dict[str, Any], times: int) -> Runs:
    before, after = (tuple(_outcome(row) for row in data[tree]) for tree in ("before", "after"))
    if (len(before), len(after)) != (times, times):
        raise ValueError("not as many runs as were asked for")
    return before, after


def _outcome(row: dict[str, Any]) -> Outcome:
    code, stopped, seconds = row["exit_code"], row["stopped"], row["seconds"]
    whole = isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 256
    if stopped not in _STOPPED or whole == bool(stopped):
        raise ValueError("a run either ends by itself or is stopped")
    if not isinstance(seconds, int | float) or not 0 <= seconds < 1e6:
        raise ValueError("no duration")
    if not isinstance(row["output"], str) or not isinstance(row["report"], str):
        raise TypeError("no text")
    return Outcome(
        exit_code=None if stopped else code,
        stopped=stopped,
        seconds=float(seconds),
        output=row["output"][-_OUTPUT:],
        report=row["report"].encode("utf-8", "replace"),
    )


def _line(text: str) -> str:
    return redact(" ".join(text.split())[:300])
