"""The gates that run code, judged by a build's results: as in the sandbox, and outside of the build."""

from __future__ import annotations

from dataclasses import replace

from functions.core.evidence import GateResult, Result
from functions.validate_patch import extra, reproduce, suite
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.codebuild.results import NotBelieved, NotRun, Results, Runs, read

NO_TEST = "the proposal has no regression test; inputs that raise the error are searched in the sandbox only"
NO_CALLS = "what the patch adds is traced, and calls are made up, in the sandbox only"


def gates(
    candidate: Candidate, project: str, report: bytes | None, ended: bytes, nonce: str
) -> list[GateResult]:
    """All their results; see `results.read` for the arguments. Each says where it ran."""
    where = f"CodeBuild project {project}"
    try:
        results = read(report, ended, nonce)
    except NotRun as error:
        return [_not_run(gate, f"{error} ({where})") for gate in (reproduce.GATE, suite.GATE, extra.GATE)]
    except NotBelieved as error:
        finding = f"{error}; a patch must leave its tests' process alone ({where})"
        failed = [GateResult(gate, Result.FAIL, finding, (finding,)) for gate in (reproduce.GATE, suite.GATE)]
        return [*failed, _not_run(extra.GATE, "an earlier gate failed")]
    judged = [_reproduced(candidate, results), _unbroken(candidate, results)]
    said = f" ({where}, Python {results.python})"
    return [
        *(replace(gate, detail=gate.detail + said) for gate in judged),
        _not_run(extra.GATE, NO_CALLS),
    ]


def _reproduced(candidate: Candidate, results: Results) -> GateResult:
    tests = reproduce.tests_in(candidate)
    if not tests:
        return _not_run(reproduce.GATE, NO_TEST)
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
    return _not_run(gate, f"the image's python3 cannot import pytest: {results.pytest_problem}")


def _not_run(gate: str, why: str) -> GateResult:
    return GateResult(gate, Result.NOT_RUN, f"not run: {why}")


def _missing(gate: str) -> GateResult:
    finding = "the build's report leaves out a run that was asked for"
    return GateResult(gate, Result.FAIL, finding, (finding,))
