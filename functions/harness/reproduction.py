"""Whether runs of a regression test show the incident before the patch, and its absence after it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from functions.harness.test_runs import Raised, TestRun, same_type


@dataclass(frozen=True)
class ReproductionResult:
    """The tests that reproduce the incident, or why none does."""

    names: tuple[str, ...] = ()
    objection: str = ""
    refutes: bool = False
    """Whether the objection is a test that still fails after the patch."""
    lacking: bool = False
    """Whether the objection is a module that is not installed: nothing follows for the patch."""


def judge(
    incident: Mapping[str, Any],
    own: frozenset[str],
    fails: Sequence[TestRun],
    passes: Sequence[TestRun],
    known: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> ReproductionResult:
    """fails, passes: the runs before and after the patch. own: the repository's own files that are no
    tests. known: test file → names of tests in it that the patch leaves as they were."""
    for tree, runs in (("after", passes), ("before", fails)):
        problem = next((run.problem for run in runs if run.problem), "")
        if problem:
            return ReproductionResult(
                (), f"the regression test's run {tree} the patch does not count: {problem}"
            )
    if lacking := _lacking(own, fails[0], passes[0]):
        return ReproductionResult((), lacking, lacking=True)
    alike = {name for name in fails[0].results if _is_alike(name, known, fails[0], passes[0])}
    objection = _after(passes, alike)
    if objection:
        return objection
    wanted = [name for name, result in passes[0].results.items() if result == "passed"]
    reproducing = [_reproducing(incident, own, run, wanted) for run in fails]
    if any(names != reproducing[0] for names in reproducing):
        return ReproductionResult(
            (), "the regression test is flaky: its result changes from run to run before the patch"
        )
    if not reproducing[0]:
        return ReproductionResult((), _why_not(incident, fails[0], wanted))
    return ReproductionResult(tuple(reproducing[0]))


def is_gone(names: Collection[str], run: TestRun) -> bool:
    """Whether the tests that reproduced the incident pass. names: see `Verdict`."""
    if run.problem or not run.results:
        return False
    passed = {name for name, result in run.results.items() if result == "passed"}
    files = {name.partition("::")[0] for name in passed} - set(run.uncollected)
    return all(name in passed if "::" in name else name in files for name in names)


def is_incident(incident: Mapping[str, Any], own: frozenset[str], raised: Raised) -> bool:
    """The incident's exception type, with the incident's function as the innermost of the app's own; through
    the frame that it is told apart by, where it is (see `reproducing.reproduce_joined`)."""
    if not same_type(incident["type"], raised.type):
        return False
    through = incident.get("through")
    if through and not any([*frame] == [*through] for frame in raised.frames):
        return False
    if not incident["places"]:
        return True
    place = incident["places"][-1]
    frames = [(file, function) for file, _, function in raised.frames if file in own]
    return bool(frames) and frames[-1] == (place["path"], place["function"])


def _is_alike(name: str, known: Mapping[str, Sequence[str]], was: TestRun, now: TestRun) -> bool:
    """Whether an old test failed before the patch already, and does so in the same way after it."""
    path, _, inner = name.partition("::")
    old = inner.rpartition("::")[2].partition("[")[0] in known.get(path, ())
    if not old or not was.results.get(name) == now.results.get(name) == "failed":
        return False
    one, other = was.raised.get(name), now.raised.get(name)
    return one is not None and other is not None and one.type == other.type


def _lacking(own: frozenset[str], was: TestRun, now: TestRun) -> str:
    """A module, none of the repository's own, that neither tree finds; "" where there is none."""
    for file in now.uncollected:
        raised = now.raised[file]
        found = re.match(r"No module named '(\w+)", raised.message)
        tops = {part.removesuffix(".py") for path in own for part in path.split("/")}
        alike = file in was.uncollected and was.raised[file].message == raised.message
        if found and alike and found[1] not in tops:
            return f"{found[1]}, which the regression test needs, is not installed"
    return ""


def _after(passes: Sequence[TestRun], alike: Collection[str]) -> ReproductionResult | None:
    """alike: tests that fail for a reason that the patch has nothing to do with."""
    first = passes[0]
    if first.uncollected:
        raised = first.raised[first.uncollected[0]]
        text = f"the regression test cannot be imported after the patch: {raised.type}: {raised.message}"
        return ReproductionResult((), text)
    if not first.results:
        return ReproductionResult((), "no test was found in the regression test's file")
    if any(run.results != first.results for run in passes):
        return ReproductionResult(
            (), "the regression test is flaky: its result changes from run to run after the patch"
        )
    bad = [name for name, result in first.results.items() if result == "failed" and name not in alike]
    if bad:
        raised = first.raised.get(bad[0], Raised("no exception", "", ()))
        text = f"{bad[0]} still fails after the patch: {raised.type}: {_line(raised.message)}"
        return ReproductionResult((), text, refutes=True)
    return None


def _reproducing(
    incident: Mapping[str, Any], own: frozenset[str], run: TestRun, wanted: Sequence[str]
) -> list[str]:
    """Of the tests that pass after the patch, those that fail before it as the incident did."""
    named = {
        name: run.raised[name] for name in wanted if run.results.get(name) == "failed" and name in run.raised
    }
    # When importing the module is what fails, no test is collected: the file stands for its tests.
    named.update({path: run.raised[path] for path in run.uncollected})
    return sorted(name for name, raised in named.items() if is_incident(incident, own, raised))


def _why_not(incident: Mapping[str, Any], run: TestRun, wanted: Sequence[str]) -> str:
    place = incident["places"][-1] if incident["places"] else None
    where = f" in {place['function']} ({place['path']})" if place else ""
    expected = f"it must fail with {incident['type']}{where}"
    for name in (*wanted, *run.uncollected):
        if name in run.raised:
            raised = run.raised[name]
            at = f" in {raised.frames[-1][2]} ({raised.frames[-1][0]})" if raised.frames else ""
            return (
                f"before the patch {name} fails with {raised.type}{at}: {_line(raised.message)}; {expected}"
            )
    return f"the regression test passes without the patch as well, so it proves nothing; {expected}"


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
