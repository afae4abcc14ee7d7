"""The gates that run code, judged by a build's results: as in the sandbox, and outside of the build."""

from __future__ import annotations

from dataclasses import replace

from functions.core.evidence import GateResult, Result
from functions.validate_patch import reproduce, suite
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.codebuild.results import NotBelieved, NotRun, Results, Runs, read
from functions.validate_patch.validate import RUNNING, not_run

NO_TEST = "the proposal has no regression test; inputs that raise the error are searched in the sandbox only"
NO_CALLS = "what the patch adds is traced, and calls are made up, in the sandbox only"
_BUILT = (reproduce.GATE, suite.GATE)
_NOT_BUILT = tuple(gate for gate in RUNNING if gate not in _BUILT)


def gates(
    candidate: Candidate, project: str, report: bytes | None, ended: bytes, nonce: str
) -> list[GateResult]:
    """All their results; see `results.read` for the arguments. Each says where it ran."""
    where = f"CodeBuild project {project}"
    try:
        results = read(report, ended, nonce)
    except NotRun as error:
        return not_run(*RUNNING, why=f"{error} ({where})")
    except NotBelieved as error:
        finding = f"{error}; a patch must leave its tests' process alone ({where})"
        failed = [GateResult(gate, Result.FAIL, finding, (finding,)) for gate in _BUILT]
        return [*failed, *not_run(*_NOT_BUILT, why="an earlier gate failed")]
    judged = [_reproduced(candidate, results), _unbroken(candidate, results)]
    said = f" ({where}, Python {results.python})"
    built = [replace(gate, detail=gate.detail + said) for gate in judged]
    return [*built, *not_run(*_NOT_BUILT, why=NO_CALLS)]


def _reproduced(candidate: Candidate, results: Results) -> GateResult:
    tests = reproduce.tests_in(candidate)
    if not tests:
        return not_run(reproduce.GATE, why=NO_TEST)[0]
    if results.pytest_problem:
        return _no_pytest(reproduce.GATE, results)
    if results.reproduction is None:
        return _missing(reproduce.GATE)
    return _took(reproduce.judge(candidate, tests, *results.reproduction), results.reproduction)


def _unbroken(candidate: Candidate, results: Results) -> GateResult:
    planned = suite.plan(candidate)
    if planned is None:
        return suite.no_tests()
    if planned.task["kind"] == "pytest" and results.pytest_problem:
        return _no_pytest(suite.GATE, results)
    if results.suite is None:
        return _missing(suite.GATE)
    (before,), (after,) = results.suite
    return _took(suite.judge(planned, before, after, plain=results.plain), results.suite)


def _took(gate: GateResult, runs: Runs) -> GateResult:
    return replace(gate, seconds=round(sum(run.seconds for tree in runs for run in tree), 4))


def _no_pytest(gate: str, results: Results) -> GateResult:
    why = f"the image's python3 cannot import pytest: {results.pytest_problem}"
    return not_run(gate, why=why)[0]


def _missing(gate: str) -> GateResult:
    finding = "the build's report leaves out a run that was asked for"
    return GateResult(gate, Result.FAIL, finding, (finding,))
