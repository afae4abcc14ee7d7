"""Reads a worker's report: what is believed of it, and when the whole of it is not.

The verdict is computed where no code of strangers runs. A report must tell a complete story that agrees with
what was seen from outside: the process ended by itself, through pytest's own end, with the exit code that
pytest reported; every collected test was told exactly once per phase. Code under test that ends the process
early, drops tests or writes lines of its own breaks that story; then nothing of it counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.harness.outcome import RunOutcome

# pytest.ExitCode: all passed, some failed, interrupted (by errors while collecting), nothing collected.
_ENDINGS = (0, 1, 2, 5)
_PHASES = ("setup", "call", "teardown")
_RESULTS = ("passed", "failed", "skipped")


@dataclass(frozen=True)
class Raised:
    """An exception as reported: its type as `module.Name`, and where it came from, innermost last."""

    type: str
    message: str
    frames: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class TestRun:
    """One run of pytest."""

    problem: str
    """"" or why the run proves nothing."""
    results: Mapping[str, str]
    """Test id → `passed`, `failed` or `skipped`."""
    raised: Mapping[str, Raised]
    """Test id, or file that could not be collected → what it raised."""
    uncollected: tuple[str, ...]
    """Files that could not be collected."""
    collected: int = 0
    """How many tests there are, run or not."""
    out_of_time: bool = False
    """Whether it was stopped when its time was up: then `results` holds the tests that had ended."""


def read(outcome: RunOutcome) -> TestRun:
    """Judge a report. Never raises: what cannot be read is a problem."""
    problem = ""
    if outcome.stopped:
        limit = {"time": "it ran out of time", "output": "it printed too much"}[outcome.stopped]
        problem = f"stopped after {outcome.seconds:.1f} s: {limit}"
    try:
        run, story = _read(outcome)
        collected = len(run[0])
        if outcome.stopped == "time":
            run, collected = _ended_only(outcome, run)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ArithmeticError):
        return TestRun(problem or "its report is not what the runner writes", {}, {}, ())
    return TestRun(problem or story, *run, collected, outcome.stopped == "time")


def same_type(reported: str, raised: str) -> bool:
    """Whether two type names mean the same: Lambda prints no module, Python one unless it is builtins."""
    shorter, longer = sorted((reported, raised), key=len)
    return longer == shorter or longer.endswith(f".{shorter}")


def _read(outcome: RunOutcome) -> tuple[tuple[dict[str, str], dict[str, Raised], tuple[str, ...]], str]:
    collected: list[str] | None = None
    phases: dict[str, dict[str, str]] = {}
    raised: dict[str, Raised] = {}
    uncollected: list[str] = []
    finished: list[int] = []
    story = ""
    for line in _lines(outcome):
        if finished:
            story = "it reported more after its end"
        if "collected" in line:
            if collected is not None:
                story = "it collected twice"
            collected = [str(name) for name in line["collected"]]
        elif "collect_error" in line:
            uncollected.append(str(line["collect_error"]))
            raised[uncollected[-1]] = _raised(line["exception"])
        elif "test" in line:
            name, when, result = str(line["test"]), line["when"], line["outcome"]
            if when in phases.setdefault(name, {}) or when not in _PHASES:
                story = f"it reported {name} twice"
            if result not in _RESULTS:
                story = f"it reported {name} as something else than passed, failed or skipped"
            phases[name][when] = str(result)
            if line["exception"] is not None:
                raised.setdefault(name, _raised(line["exception"]))
        else:
            finished.append(int(line["finished"]))
    results = {name: _result(by_phase) for name, by_phase in phases.items()}
    if finished != [outcome.exit_code] or outcome.exit_code not in _ENDINGS:
        story = story or f"it did not end as pytest does (exit code {outcome.exit_code})"
    elif outcome.exit_code != 2 and set(collected or ()) != set(results):
        story = story or "it did not report every test that it collected"
    elif _contradicts(outcome.exit_code, set(results.values()), uncollected):
        story = story or "its exit code contradicts its results"
    return (results, raised, tuple(uncollected)), story


def _lines(outcome: RunOutcome) -> list[dict[str, Any]]:
    """What pytest's plugin reported; what was reached stands between (see `audit.py`)."""
    lines: list[dict[str, Any]] = [json.loads(text) for text in outcome.report.splitlines()]
    return [line for line in lines if "reached" not in line]


def _contradicts(exit_code: int | None, results: set[str], uncollected: list[str]) -> bool:
    """0: nothing failed; 1: something did; 2: something could not be collected; 5: there was nothing."""
    if exit_code == 0:
        return "failed" in results
    if exit_code == 1:
        return "failed" not in results and not uncollected
    return not uncollected if exit_code == 2 else bool(results)


_Run = tuple[dict[str, str], dict[str, Raised], tuple[str, ...]]


def _ended_only(outcome: RunOutcome, run: _Run) -> tuple[_Run, int]:
    """Without the test in which time ran out; and how many were collected."""
    lines = _lines(outcome)
    ended = {str(line["test"]) for line in lines if line.get("when") == "teardown"}
    collected = max((len(line["collected"]) for line in lines if "collected" in line), default=0)
    results, raised, uncollected = run
    return ({n: r for n, r in results.items() if n in ended}, raised, uncollected), collected


def _result(phases: dict[str, str]) -> str:
    if "failed" in phases.values():
        return "failed"
    if "skipped" in phases.values():
        return "skipped"
    return "passed" if set(phases) == set(_PHASES) else "failed"


def _raised(data: dict[str, Any]) -> Raised:
    frames = tuple((str(file), int(line), str(function)) for file, line, function in data["frames"])
    return Raised(str(data["type"]), str(data["message"]), frames)
