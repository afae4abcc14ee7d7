"""Gate 6: the regression test fails before the patch as the incident did, and passes after it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from functions.core.evidence import GateResult, Result, Run
from functions.core.redaction import redact
from functions.validate_patch import outcomes
from functions.validate_patch.candidate import Candidate, is_test
from functions.validate_patch.outcomes import Raised, TestRun, same_type
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox

GATE = "reproduces"
TIMES = 3
"""Runs per tree; one that differs makes the test flaky, which is a failure."""
_SECONDS = 30.0
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--color=no", "--tb=short", "-rN")


def tests_in(candidate: Candidate) -> tuple[str, ...]:
    """Test files that can serve as the reproduction: the proposal's, else those the patch adds or edits."""
    if candidate.proposal.regression_test is not None:
        return (candidate.proposal.regression_test.path,)
    return tuple(
        change.path
        for change in candidate.python_changes
        if change.after is not None and is_test(change.path) and not change.path.endswith("conftest.py")
    )


def task(paths: Sequence[str]) -> dict[str, Any]:
    """What is run on each tree."""
    return {"kind": "pytest", "args": [*_OPTIONS, "-o", "addopts=", *paths]}


def check(
    candidate: Candidate, paths: Sequence[str], sandbox: Sandbox, after: Path, pool: Executor
) -> GateResult:
    """Run the tests in `paths` three times on each tree, side by side.

    `after` is the patched tree as staged.
    """
    before = sandbox.stage({**candidate.before, **{path: candidate.after[path] for path in paths}})
    job = task(paths)
    trees = [tree for _ in range(TIMES) for tree in (before, after)]
    ended = list(pool.map(lambda tree: sandbox.run(tree, job, _SECONDS), trees))
    return judge(candidate, paths, ended[::2], ended[1::2])


def judge(
    candidate: Candidate, paths: Sequence[str], fails: Sequence[Outcome], passes: Sequence[Outcome]
) -> GateResult:
    """The gate's result, from the runs before and after the patch, wherever they took place."""
    command = "pytest " + " ".join(paths)
    runs = (_run(command, "before", fails[0]), _run(command, "after", passes[0]))
    findings, names = _judge(candidate, [outcomes.read(o) for o in fails], [outcomes.read(o) for o in passes])
    if findings:
        return GateResult(GATE, Result.FAIL, findings[0], findings, runs)
    incident = candidate.facts.incident
    detail = (
        f"{', '.join(names)}: fails before the patch with {incident.error_type}"
        f" in {candidate.places[-1].function if candidate.places else 'the reported place'}, passes after it;"
        f" {TIMES} times each"
    )
    return GateResult(GATE, Result.PASS, detail, (), runs)


def _judge(
    candidate: Candidate, fails: list[TestRun], passes: list[TestRun]
) -> tuple[tuple[str, ...], list[str]]:
    """Findings, or the tests that reproduce the incident."""
    for tree, runs in (("after", passes), ("before", fails)):
        if problem := next((run.problem for run in runs if run.problem), ""):
            return (f"the regression test's run {tree} the patch does not count: {problem}",), []
    first = passes[0]
    if first.uncollected:
        raised = first.raised[first.uncollected[0]]
        return (
            f"the regression test cannot be imported after the patch: {raised.type}: {raised.message}",
        ), []
    if not first.results:
        return ("no test was found in the regression test's file",), []
    if any(run.results != first.results for run in passes):
        return ("the regression test is flaky: its result changes from run to run after the patch",), []
    bad = [name for name, result in first.results.items() if result == "failed"]
    if bad:
        raised = first.raised.get(bad[0], Raised("no exception", "", ()))
        return (f"{bad[0]} still fails after the patch: {raised.type}: {_line(raised.message)}",), []
    wanted = [name for name, result in first.results.items() if result == "passed"]
    reproducing = [_reproducing(candidate, run, wanted) for run in fails]
    if any(names != reproducing[0] for names in reproducing):
        return ("the regression test is flaky: its result changes from run to run before the patch",), []
    if not reproducing[0]:
        return (_why_not(candidate, fails[0], wanted),), []
    return (), reproducing[0]


def _reproducing(candidate: Candidate, run: TestRun, wanted: list[str]) -> list[str]:
    """Of the tests that pass after the patch, those that fail before it as the incident did."""
    named = {
        name: run.raised[name] for name in wanted if run.results.get(name) == "failed" and name in run.raised
    }
    # When importing the module is what fails, no test is collected: the file stands for its tests.
    named |= {path: run.raised[path] for path in run.uncollected}
    return sorted(name for name, raised in named.items() if is_incident(candidate, raised))


def is_incident(candidate: Candidate, raised: Raised) -> bool:
    """The incident's exception type, with the incident's function as the innermost of the app's own."""
    if not same_type(candidate.facts.incident.error_type, raised.type):
        return False
    if not candidate.places:
        return True
    place = candidate.places[-1]
    own = [
        (file, function)
        for file, _, function in raised.frames
        if file in candidate.before and not is_test(file)
    ]
    return bool(own) and own[-1] == (place.path, place.function)


def _why_not(candidate: Candidate, run: TestRun, wanted: list[str]) -> str:
    incident = candidate.facts.incident
    place = candidate.places[-1] if candidate.places else None
    where = f" in {place.function} ({place.path})" if place else ""
    expected = f"it must fail with {incident.error_type}{where}"
    for name in (*wanted, *run.uncollected):
        if name in run.raised:
            raised = run.raised[name]
            at = f" in {raised.frames[-1][2]} ({raised.frames[-1][0]})" if raised.frames else ""
            return (
                f"before the patch {name} fails with {raised.type}{at}: {_line(raised.message)}; {expected}"
            )
    return f"the regression test passes without the patch as well, so it proves nothing; {expected}"


def _line(text: str) -> str:
    return redact(" ".join(text.split())[:200])


def _run(command: str, tree: str, outcome: Outcome) -> Run:
    return Run(command, tree, outcome.exit_code, outcome.seconds, redact(outcome.output[-4000:]))
