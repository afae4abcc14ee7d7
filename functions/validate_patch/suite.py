"""Gate 7: the repository's own tests before and after; only what passed before and fails after counts."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from functions.core.evidence import GateResult, Result, Run
from functions.core.redaction import redact
from functions.validate_patch import outcomes
from functions.validate_patch.candidate import Candidate, is_test, parsed
from functions.validate_patch.outcomes import TestRun
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox
from functions.validate_patch.tree import File

GATE = "breaks_nothing"
_SECONDS = 240.0
_OPTIONS = ("-q", "-p", "no:cacheprovider", "--color=no", "--tb=short", "-rN")
_SHOWN = 10
_BROKEN = b'raise ImportError("taken away to see whether the tests notice")\n'
USAGE_ERROR = 4
"""pytest.ExitCode.USAGE_ERROR"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run on both trees.

    `plain` is run instead when pytest does not know the options that `task` has (exit code 4).
    """

    command: tuple[str, ...]
    task: dict[str, Any]
    plain: dict[str, Any] | None = None


def plan(candidate: Candidate) -> Plan | None:
    """The repository's own tests; None when it has none."""
    command = candidate.rules.test_command
    arguments = pytest_arguments(command)
    if arguments is None:
        return Plan(command, {"kind": "command", "args": list(command)})
    if not command and not any(
        is_test(path) and not path.endswith("__init__.py") for path in candidate.before
    ):
        return None
    task = {"kind": "pytest", "args": [*_OPTIONS, *arguments], "first": relevant_tests(candidate)}
    # Options in the repository's configuration may need a plugin that is not installed.
    plain = {**task, "args": [*_OPTIONS, "-o", "addopts=", *arguments]}
    return Plan(command or ("pytest",), task, plain)


def no_tests() -> GateResult:
    return GateResult(GATE, Result.NOT_RUN, "not run: the repository has no tests")


def check(candidate: Candidate, sandbox: Sandbox, trees: tuple[Path, Path], pool: Executor) -> GateResult:
    """Run the repository's tests on both trees (as fetched, patched) side by side; compare test by test."""
    planned = plan(candidate)
    if planned is None:
        return no_tests()
    before, after = _both(sandbox, trees, pool, planned.task)
    if planned.task["kind"] == "command":
        result = judge(planned, before, after)
        return _unless_deaf(result, candidate, sandbox, planned) if result.result is Result.PASS else result
    if planned.plain is None or before.exit_code != USAGE_ERROR:
        return judge(planned, before, after)
    return judge(planned, *_both(sandbox, trees, pool, planned.plain), plain=True)


def _unless_deaf(result: GateResult, candidate: Candidate, sandbox: Sandbox, planned: Plan) -> GateResult:
    """The same, unless the command succeeds even where no changed module can be imported."""
    broken = {change.path: File(_BROKEN) for change in candidate.python_changes if not is_test(change.path)}
    outcome = sandbox.run(sandbox.stage({**candidate.after, **broken}), planned.task, _SECONDS)
    if not broken or outcome.exit_code != 0:
        return result
    shown = shlex.join(planned.command)
    why = f"{shown} succeeds even when nothing that the patch changes can be imported, so it proves nothing"
    return GateResult(GATE, Result.NOT_RUN, f"not run: {why}", (), result.runs)


def judge(planned: Plan, before: Outcome, after: Outcome, *, plain: bool = False) -> GateResult:
    """The gate's result, from one run on each tree, wherever they took place.

    plain: whether it was `planned.plain` that was run.
    """
    if planned.task["kind"] == "command":
        return _by_exit_code(planned.command, before, after)
    shown = shlex.join(planned.command)
    runs = (_run(shown, "before", before), _run(shown, "after", after))
    was, now = outcomes.read(before), outcomes.read(after)
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
        imported = set(_imported(module)) if module is not None else set()
        if any(
            name == module_name or module_name.endswith(f".{name}")
            for name in imported
            for module_name in changed
        ):
            found.append(path)
    return found


def _imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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


def _both(
    sandbox: Sandbox, trees: tuple[Path, Path], pool: Executor, task: dict[str, Any]
) -> tuple[Outcome, Outcome]:
    before, after = pool.map(lambda tree: sandbox.run(tree, task, _SECONDS), trees)
    return before, after


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
        elif result is None and not now.uncollected and not now.problem:
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
    detail = f"{len(both)} tests passed before the patch and pass after it"
    if was.problem:
        ended = len(was.results.keys() & now.results.keys())
        detail += (
            f"; tests of the changed modules first; not run: {was.collected - ended} of {was.collected} tests"
            f" ({was.problem})"
        )
    if failing:
        mended = [name for name in failing if now.results.get(name) == "passed"]
        detail += f"; {len(failing)} failed before already ({', '.join(failing[:3])})"
        detail += f", {len(mended)} of them pass now" if mended else ""
    if was.uncollected:
        detail += f"; not run: {', '.join(was.uncollected[:3])} (cannot be imported without the patch either)"
    return detail


def _by_exit_code(command: tuple[str, ...], before: Outcome, after: Outcome) -> GateResult:
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


def _run(command: str, tree: str, outcome: Outcome) -> Run:
    return Run(command, tree, outcome.exit_code, outcome.seconds, redact(outcome.output[-4000:]))


def _line(text: str) -> str:
    return redact(" ".join(text.split())[:200])
