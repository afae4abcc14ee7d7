"""Gate 7: the repository's own tests before and after; only what passed before and fails after counts."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from functions.core.notify.counts import counted
from functions.core.source.syntax_tree import imports_of
from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import GateResult, Result, Run
from functions.harness import test_runs
from functions.harness.names import is_test
from functions.harness.outcome import RunOutcome
from functions.harness.test_runs import TestRun
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.told import ReplayedReport

GATE = "regression_tests"
SECONDS = 240.0
"""For each run."""
# A file that cannot be imported says nothing about the others.
OPTIONS = (
    "--continue-on-collection-errors",
    "-q",
    "-p",
    "no:cacheprovider",
    "--color=no",
    "--tb=short",
    "-rN",
)
PLAIN = ("-o", "addopts=")
"""Options in the repository's configuration may need a plugin that is not installed."""
_SHOWN = 10
_BROKEN = 'raise ImportError("taken away to see whether the tests notice")\n'


def asked(candidate: Candidate, seconds: float) -> dict[str, Any] | None:
    """The `suite` part of an experiment: the repository's own tests; None when it has none.

    A command tells nothing but whether it succeeds, so it is run with the changed modules broken, too.
    """
    command = candidate.rules.test_command
    arguments = pytest_arguments(command)
    if arguments is None:
        changed = [change.path for change in candidate.python_changes if not is_test(change.path)]
        return {
            "task": {"kind": "command", "args": list(command)},
            "plain": None,
            "seconds": seconds,
            "left_out": _new_tests(candidate),
            "fetched": _changed_tests(candidate),
            "broken": dict.fromkeys(changed, _BROKEN),
        }
    if not command and not any(
        is_test(path) and not path.endswith("__init__.py") for path in candidate.before
    ):
        return None
    task = {"kind": "pytest", "args": [*OPTIONS, *arguments], "first": relevant_tests(candidate)}
    plain = {**task, "args": [*OPTIONS, *PLAIN, *arguments]}
    return {
        "task": task,
        "plain": plain,
        "seconds": seconds,
        "left_out": _new_tests(candidate),
        "fetched": _changed_tests(candidate),
    }


def _new_tests(candidate: Candidate) -> list[str]:
    """Test files that the patch adds. What they show is the reproduction's matter."""
    return [change.path for change in candidate.changes if change.before is None and is_test(change.path)]


def _changed_tests(candidate: Candidate) -> list[str]:
    """Test files that the patch changes or removes: they run as they were fetched."""
    return [change.path for change in candidate.changes if change.before is not None and is_test(change.path)]


def result(candidate: Candidate, told: ReplayedReport) -> GateResult:
    """The gate's result: what the tests did on the tree as fetched and on the patched one, test by test."""
    plan = asked(candidate, SECONDS)
    if plan is None:
        return GateResult(GATE, Result.NOT_RUN, "not run: the repository has no tests")
    if plan["task"]["kind"] == "pytest" and told.pytest_problem:
        return GateResult(GATE, Result.NOT_RUN, f"not run: {no_pytest(told)}")
    if told.proof.suite is None:
        return GateResult(GATE, Result.NOT_RUN, "not run: there was no time left for the repository's tests")
    command = candidate.rules.test_command or ("pytest",)
    before, after = told.proof.suite
    if plan["task"]["kind"] == "command":
        judged = _by_exit_code(command, before, after)
        if judged.result is Result.PASS and plan["broken"]:
            judged = _unless_deaf(judged, command, told.proof.broken)
    else:
        judged = _by_tests(command, before, after, plain=told.proof.plain)
    ran = [before, after, *([told.proof.broken] if told.proof.broken else [])]
    return replace(judged, seconds=round(sum(outcome.seconds for outcome in ran), 4))


def no_pytest(told: ReplayedReport) -> str:
    return f"Python {told.python} cannot import pytest there: {told.pytest_problem}"


def _by_tests(command: tuple[str, ...], before: RunOutcome, after: RunOutcome, *, plain: bool) -> GateResult:
    """plain: whether it ran without the options in the repository's configuration."""
    shown = shlex.join(command)
    runs = (_run(shown, "before", before), _run(shown, "after", after))
    was, now = test_runs.read(before), test_runs.read(after)
    findings = _findings(was, now)
    if findings:
        return GateResult(GATE, Result.FAIL, findings[0], findings, runs)
    if problem := _nothing_proven(was, now):
        return GateResult(GATE, Result.NOT_RUN, f"not run: {problem}", (), runs)
    said = "; run without the options (addopts) in the repository's pytest configuration" if plain else ""
    return GateResult(GATE, Result.PASS, _detail(was, now) + said, (), runs)


def relevant_tests(candidate: Candidate) -> list[str]:
    """Test files that import a changed module: they run first, because time may run out."""
    changed = {
        ".".join(PurePosixPath(change.path).with_suffix("").parts).removesuffix(".__init__")
        for change in candidate.python_changes
        if not is_test(change.path)
    }
    found = []
    for path in sorted(p for p in candidate.before if p.endswith(".py") and is_test(p)):
        module = parsed(candidate.before, path)
        imports = imports_of(module) if module is not None else ()
        imported = {name for one in imports if one.module for name in (one.module, one.dotted)}
        if any(
            name == module_name or module_name.endswith(f".{name}")
            for name in imported
            for module_name in changed
        ):
            found.append(path)
    return found


def pytest_arguments(command: tuple[str, ...]) -> list[str] | None:
    """The arguments for pytest in a test command, or None when it runs something else."""
    if not command:
        return []
    program = PurePosixPath(command[0]).name
    if program in ("pytest", "py.test"):
        return list(command[1:])
    if program.startswith("python") and command[1:3] == ("-m", "pytest"):
        return list(command[3:])
    if program.startswith("python") and command[1:3] == ("-m", "unittest") and len(command) in (3, 4):
        return []  # pytest runs unittest's tests and tells them apart
    return None


def _findings(was: TestRun, now: TestRun) -> tuple[str, ...]:
    passed = {name for name, result in was.results.items() if result == "passed"}
    if was.problem and not passed:
        return ()
    if now.problem and not was.problem:
        return (f"the tests' run after the patch does not count: {now.problem}",)
    found = []
    for path in now.uncollected:
        if path not in was.uncollected:
            raised = now.raised[path]
            found.append(f"{path} cannot be imported any more: {raised.type}: {_line(raised.message)}")
    for name in sorted(passed):
        result = now.results.get(name)
        if result == "failed":
            raised_now = now.raised.get(name)
            reason = f": {raised_now.type}: {_line(raised_now.message)}" if raised_now else ""
            found.append(f"{name} passed before the patch and fails after it{reason}")
        elif result is None and name.partition("::")[0] not in now.uncollected and not now.problem:
            found.append(f"{name} passed before the patch and is gone after it")
        elif result == "skipped":
            found.append(f"{name} passed before the patch and is skipped after it")
    return tuple(found[:_SHOWN])


def _nothing_proven(was: TestRun, now: TestRun) -> str:
    if was.problem and not (was.out_of_time and now.out_of_time):
        return f"the tests' run before the patch does not count: {was.problem}"
    if any(r == "passed" and (not was.problem or now.results.get(n) == r) for n, r in was.results.items()):
        return ""
    if was.problem:
        return f"no test ended in both runs: {was.problem}"
    if was.uncollected:
        raised = was.raised[was.uncollected[0]]
        why = f"{raised.type}: {_line(raised.message)}"
        return f"{was.uncollected[0]} cannot be imported even without the patch: {why}"
    return "no test passed before the patch"


def _detail(was: TestRun, now: TestRun) -> str:
    both = [name for name, result in was.results.items() if result == now.results.get(name) == "passed"]
    failing = sorted(name for name, result in was.results.items() if result == "failed")
    same = counted(
        len(both), "test passed before the patch and passes", "tests passed before the patch and pass"
    )
    detail = f"{same} after it"
    if was.problem:
        ended = len(was.results.keys() & now.results.keys())
        detail += (
            f"; tests of the changed modules first; not run: {was.collected - ended}"
            f" of {counted(was.collected, 'test')} ({was.problem})"
        )
    if failing:
        mended = [name for name in failing if now.results.get(name) == "passed"]
        detail += f"; {len(failing)} failed before already ({', '.join(failing[:3])})"
        detail += f", of them {len(mended)} pass now" if mended else ""
    if was.uncollected:
        detail += f"; not run: {', '.join(was.uncollected[:3])} (cannot be imported without the patch either)"
    return detail


def _by_exit_code(command: tuple[str, ...], before: RunOutcome, after: RunOutcome) -> GateResult:
    """A command of the app's own tells only by its exit code whether all is well."""
    shown = shlex.join(command)
    runs = (_run(shown, "before", before), _run(shown, "after", after))
    if before.exit_code != 0:
        ended = "was stopped" if before.exit_code is None else f"ends with {before.exit_code}"
        return GateResult(GATE, Result.NOT_RUN, f"not run: {shown} {ended} even without the patch", (), runs)
    if after.exit_code != 0:
        ended = "is stopped" if after.exit_code is None else f"ends with {after.exit_code}"
        finding = f"{shown} succeeded before the patch and {ended} after it: {_line(after.output[-300:])}"
        return GateResult(GATE, Result.FAIL, finding, (finding,), runs)
    return GateResult(GATE, Result.PASS, f"{shown} succeeds before and after the patch", (), runs)


def _unless_deaf(passed: GateResult, command: tuple[str, ...], broken: RunOutcome | None) -> GateResult:
    """The same, unless the command succeeds even where no changed module can be imported."""
    shown = shlex.join(command)
    if broken is None:
        why = f"there was no time left to see whether {shown} notices when what the patch changes is broken"
    elif broken.exit_code == 0:
        why = (
            f"{shown} succeeds even when nothing that the patch changes can be imported, so it proves nothing"
        )
    else:
        return passed
    return GateResult(GATE, Result.NOT_RUN, f"not run: {why}", (), passed.runs)


def _run(command: str, tree: str, outcome: RunOutcome) -> Run:
    return Run(command, tree, outcome.exit_code, outcome.seconds, redact(outcome.output[-4000:]))


def _line(text: str) -> str:
    return redact(" ".join(text.split())[:200])
