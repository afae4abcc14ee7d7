"""After gate 7: a patch brings nothing beside the fix, and what the fix gives is what the code promises.

A right fix may carry something extra: a branch, or another result, for inputs that have nothing to do with
the incident. No test of the repository need know of it. So everything that the patch adds must be run, by a
test or by a call that the search makes up, and calls that had a result before the patch must have an equal
one after it. Calls that failed as the incident did show what the fix gives (see `promises`).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from functions.core.evidence import GateResult, Result
from functions.core.redaction import redact
from functions.validate_patch import promises, reproduce, suite
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.honest.view import functions_of
from functions.validate_patch.pieces import Piece, added
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox
from functions.validate_patch.search.search import lines_of, task_of

GATE = "nothing_extra"
CALLS = 300
"""Calls made up per function of the traceback."""
_SECONDS = 60.0
_CALLS_SECONDS = 6.0
_SHOWN = 5
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--color=no", "--tb=no", "-rN", "-o", "addopts=")


def check(candidate: Candidate, sandbox: Sandbox, before: Path, pool: Executor) -> GateResult:
    """`before` is the tree as fetched, as staged. Needs a reproduction: without one, too little is run."""
    pieces = added(candidate)
    ranges = [[piece.path, piece.span] for piece in pieces]
    after = sandbox.stage(candidate.after)

    def by_tests(paths: Sequence[str]) -> Outcome:
        return sandbox.run(after, {"kind": "pytest", "args": [*_OPTIONS, *paths], "trace": ranges}, _SECONDS)

    tests = reproduce.tests_in(candidate)
    tested = pool.submit(by_tests, tests)
    # Calls that failed are made up from the code as fetched: nothing in the patch can be made for them.
    task = {**task_of(candidate, CALLS), "survey": True}
    fetched = pool.submit(sandbox.run, before, task, _CALLS_SECONDS)
    calls = lines_of(sandbox.run(after, _survey(candidate), _CALLS_SECONDS))
    calls = [call for call in calls if "value" in call]
    failed = [call for call in lines_of(fetched.result()) if call.get("exact")]
    worked = [
        (c, was) for c, was in zip(calls, _probed(calls, sandbox, before), strict=False) if "value" in was
    ]
    called = _run_calls([call for call, _ in worked], sandbox, after, ranges)
    mended = _run_calls(failed, sandbox, after, ranges)
    left = _numbers(tested.result(), "executable")
    for outcome in (tested.result(), called, mended):
        left -= _numbers(outcome, "executed")
    others = [path for path in suite.relevant_tests(candidate) if path not in tests]
    if left and others:
        left -= _numbers(by_tests(others), "executed")
    not_run = [pieces[number] for number in sorted(left)]
    findings = [
        f"{_shown(piece)} is added, but neither a test nor a call that worked before runs it: remove what the"
        " fix does not need, or let the regression test run it"
        for piece in not_run
        if not piece.only_raises
    ]
    findings += _differing(worked, sandbox, before, after)
    findings += promises.broken(candidate, list(zip(failed, _answers(mended), strict=False)))
    if findings:
        return GateResult(GATE, Result.FAIL, findings[0], tuple(findings[:_SHOWN]))
    detail = f"all that is added is run; {len(worked)} made-up calls that worked before have the same result"
    if not_run:
        detail += f"; nothing runs what only raises: {'; '.join(map(_shown, not_run[:_SHOWN]))}"
    return GateResult(GATE, Result.PASS, detail)


def _shown(piece: Piece) -> str:
    return f"{piece.path}:{piece.span[0]}: `{redact(piece.text)}`"


def _survey(candidate: Candidate) -> dict[str, Any]:
    """Calls of the traceback's functions as the patch leaves them; their constants tell what to try."""
    task = task_of(candidate, CALLS)
    places = []
    for place in task["places"]:
        old, new = (parsed(tree, place["path"]) for tree in (candidate.before, candidate.after))
        holding = [
            name
            for name, node in (functions_of(old) if old else {}).items()
            if node.lineno <= place["line"] <= (node.end_lineno or 0)
        ]
        moved = functions_of(new).get(holding[-1]) if new and holding else None
        if moved is not None:
            places.append({**place, "line": moved.lineno})
    return {**task, "places": places, "survey": True}


def _numbers(outcome: Outcome, what: str) -> set[int]:
    """Places in the list of pieces that a tracer reported as `executable` or `executed`."""
    found: set[int] = set()
    for line in lines_of(outcome):
        found.update(line.get(what, ()))
    return found


def _differing(
    worked: list[tuple[dict[str, Any], dict[str, Any]]], sandbox: Sandbox, before: Path, after: Path
) -> list[str]:
    """The calls that now have another result than before.

    What differs is called again, alone and twice on each tree: only what is the same each time counts.
    """
    found = []
    different = [pair for pair in worked if not _equal(pair[1]["shown"], pair[0]["shown"])]
    for call, was in different[:_SHOWN]:
        old, new = (
            [answer.get("shown") for answer in _probed([call, call], sandbox, tree)]
            for tree in (before, after)
        )
        if old == [was["shown"]] * 2 and new == [call["shown"]] * 2:
            text = f"{call['call']} was {was['shown']} before the patch and is {call['shown']} after it"
            found.append(redact(text[:300]) + ": the fix must not change what worked")
    return found


def _probed(calls: list[dict[str, Any]], sandbox: Sandbox, tree: Path) -> list[dict[str, Any]]:
    """What each call does: see `explore.explore`."""
    return _answers(_run_calls(calls, sandbox, tree, []))


def _answers(outcome: Outcome) -> list[dict[str, Any]]:
    return [answer for answer in lines_of(outcome) if "value" in answer or "raised" in answer]


def _run_calls(calls: list[dict[str, Any]], sandbox: Sandbox, tree: Path, trace: list[Any]) -> Outcome:
    return sandbox.run(tree, {"kind": "search", "probe": calls, "trace": trace}, _CALLS_SECONDS)


def _equal(one: str, other: str) -> bool:
    """Whether two results, as source text, are to be taken for equal: as Python compares them (1 is 1.0), but
    text that became the number it names is no other result. What cannot be written is "", and not compared.
    """
    if not one or not other:
        return True
    try:
        old, new = ast.literal_eval(one), ast.literal_eval(other)
        return bool(old == new) or float(old) == float(new)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return one == other
