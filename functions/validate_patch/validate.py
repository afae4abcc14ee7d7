"""ValidatePatch without AWS: a tree, a proposal and the facts in; evidence and the patch's bytes out."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from functions.core.archive import Kind, Member
from functions.core.evidence import Build, Evidence, GateResult, Result
from functions.core.facts import Facts
from functions.core.proposal import Proposal
from functions.validate_patch import (
    clean,
    edits,
    extra,
    formatting,
    honest,
    lane,
    reproduce,
    settings,
    suite,
    syntax,
)
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.diff import patch_of
from functions.validate_patch.rules import Rules
from functions.validate_patch.sandbox.sandbox import Sandbox
from functions.validate_patch.search import search
from functions.validate_patch.tree import EXECUTABLE, REGULAR, SYMLINK, File, Tree, changes_between

_PARALLEL = 2
"""Runs side by side: a Lambda function of the memory that this one has gets about two cores."""
_MODES = {Kind.FILE: REGULAR, Kind.EXECUTABLE: EXECUTABLE, Kind.SYMLINK: SYMLINK}


@dataclass(frozen=True, slots=True)
class Validation:
    """The evidence, and the diff of everything that will be committed: b"" when the patch does not apply."""

    evidence: Evidence
    patch: bytes

    @property
    def proven(self) -> bool:
        """Whether a reproduction failed before the patch and passed after it."""
        return any(g.gate == reproduce.GATE and g.result is Result.PASS for g in self.evidence.gates)

    @property
    def reason(self) -> str:
        """One line: the first objection, or what was and was not proven."""
        if not self.evidence.accepted:
            return self.evidence.findings[0]
        if self.evidence.not_proven:
            return "accepted; not proven: " + "; ".join(self.evidence.not_proven)
        return "accepted: every gate passed"


def tree_of(members: Iterable[Member]) -> Tree:
    """The tree that an archive or a directory holds."""
    return {member.path: File(member.data, _MODES[member.kind]) for member in members}


def validate(
    tree: Tree,
    proposal: Proposal,
    facts: Facts,
    base_sha: str,
    sandbox: Callable[[], AbstractContextManager[Sandbox]] = Sandbox,
    not_installed: str = "",
) -> Validation:
    """Put a proposal through all gates, in order; a gate that needs an earlier one's success waits for it.

    `tree` is the repository at `base_sha`. `not_installed` says why the repository's dependencies could not
    be installed: then nothing is run, because nothing would follow from it. The same input gives the same
    patch bytes. Raises PermanentError when the sandbox itself fails: nothing about the patch follows then.
    """
    with sandbox() as box:  # starts while the gates that read run
        examined = examine(tree, proposal, facts)
        candidate = examined.candidate
        if not examined.passed:
            running = not_run(*RUNNING, why="an earlier gate failed")
        elif not_installed:
            why = f"the repository's dependencies are not installed: {not_installed}"
            running = not_run(*RUNNING, why=why)
        else:
            candidate, running = _in_sandbox(candidate, box)
    return conclude(examined, candidate, running, base_sha)


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate, and the results of the gates that only read it: the first five."""

    candidate: Candidate
    gates: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        return all(gate.result is Result.PASS for gate in self.gates)


def examine(tree: Tree, proposal: Proposal, facts: Facts) -> Examined:
    """Put a proposal through the gates that only read. Takes milliseconds."""
    started = time.monotonic()
    applied = edits.apply(tree, proposal)
    candidate = Candidate(
        before=tree,
        after=applied.tree,
        changes=changes_between(tree, applied.tree),
        proposal=proposal,
        facts=facts,
        rules=Rules.of(facts.app, tree),
    )
    applies = _gate("applies", applied.findings, "every edit matches exactly once", started)
    return Examined(candidate, (applies, *_read_only(candidate, may_run=not applied.findings)))


def conclude(
    examined: Examined,
    candidate: Candidate,
    running: Iterable[GateResult],
    base_sha: str,
    build: Build | None = None,
) -> Validation:
    """The evidence of all gates, and the patch. `candidate` has a test more when one was found."""
    gates = [*examined.gates, *running]
    applies, in_lane = examined.gates[:2]
    if in_lane.result is Result.PASS:
        gates.append(_timed("formatting", formatting.findings, candidate, "only what the fix changes"))
    else:
        gates += not_run("formatting", why="an earlier gate failed")
    patch = b"" if applies.result is Result.FAIL else patch_of(candidate.changes)
    digest = hashlib.sha256(patch).hexdigest() if patch else ""
    reason = candidate.facts.base_reason
    warnings = settings.warnings(candidate) if in_lane.result is Result.PASS else ()
    return Validation(Evidence(tuple(gates), digest, base_sha, reason, build, warnings), patch)


_READING: tuple[tuple[str, Callable[[Candidate], tuple[str, ...]], str], ...] = (
    ("in_lane", lane.findings, "all files are ones that a patch may touch"),
    ("parses", syntax.findings, "every changed file parses and has no new undefined name"),
    ("honest", honest.findings, "no rule against hiding the error objects"),
    ("clean", clean.findings, "no secret, and no power that the files did not use before"),
)


RUNNING = (reproduce.GATE, suite.GATE, extra.GATE)
"""Gates that run strangers' code."""
GATES = ("applies", *(name for name, _, _ in _READING), *RUNNING, "formatting")
"""All of them, in the order of the evidence."""


def _read_only(candidate: Candidate, *, may_run: bool) -> list[GateResult]:
    """Gates 2 to 5, which read but run nothing. The first two guard those after them."""
    gates: list[GateResult] = []
    for name, findings, detail in _READING:
        if may_run:
            gates.append(_timed(name, findings, candidate, detail + _remark(name, candidate.rules)))
            may_run = name in ("honest", "clean") or gates[-1].result is Result.PASS
        else:
            gates += not_run(name, why="an earlier gate failed")
    return gates


def _in_sandbox(candidate: Candidate, sandbox: Sandbox) -> tuple[Candidate, list[GateResult]]:
    """The gates that run strangers' code. A regression test that is found joins the candidate."""
    fetched, after = sandbox.stage(candidate.before), sandbox.stage(candidate.after)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        started = time.monotonic()
        tests = reproduce.tests_in(candidate)
        if tests:
            reproduced = reproduce.check(candidate, tests, sandbox, after, pool)
        else:
            candidate, reproduced = _searched(candidate, sandbox, fetched, after, pool)
        halfway = time.monotonic()
        unbroken = suite.check(candidate, sandbox, (fetched, after), pool)
        ended = time.monotonic()
        if reproduced.result is Result.PASS:
            beside = extra.check(candidate, sandbox, fetched, pool)
        else:
            (beside,) = not_run(extra.GATE, why="the error was not reproduced")
    gates = [
        replace(reproduced, seconds=round(halfway - started, 4)),
        replace(unbroken, seconds=round(ended - halfway, 4)),
        replace(beside, seconds=round(time.monotonic() - ended, 4)),
    ]
    ran = next((number for number, gate in enumerate(gates) if gate.runs), None)
    if ran is not None:
        python = _python(candidate.rules)
        gates[ran] = replace(gates[ran], detail=f"{gates[ran].detail} (sandbox: {sandbox.isolation}{python})")
    return candidate, gates


def _searched(
    candidate: Candidate, sandbox: Sandbox, fetched: Path, after: Path, pool: Executor
) -> tuple[Candidate, GateResult]:
    """Gate 6 for a proposal without a test: only what a search finds and what then holds counts."""
    found = search.generate(candidate, sandbox, fetched, after)
    reason = found.reason
    for test in found.tests:
        tree = {**candidate.after, test.path: File(test.code.encode())}
        extended = replace(candidate, after=tree, changes=changes_between(candidate.before, tree))
        if objections := lane.findings(extended):
            reason = f"no regression test may be added: {objections[0]}"
            break
        result = reproduce.check(extended, (test.path,), sandbox, sandbox.stage(tree), pool)
        if result.result is Result.PASS:
            return extended, replace(result, detail=f"{result.detail}; the test was found by search")
        # A test that was written here and does not hold says nothing about the patch.
        reason = f"no stable regression test was found ({result.detail})"
    if found.refuted:
        return candidate, GateResult(reproduce.GATE, Result.FAIL, reason, (reason,))
    return candidate, not_run(reproduce.GATE, why=reason)[0]


def _python(rules: Rules) -> str:
    """What is to be said of the Python version that the repository names."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if rules.python in ("", here):
        return ""
    return f"; run on Python {here}: the repository's {rules.python} is not here"


def _remark(gate: str, rules: Rules) -> str:
    """What the repository's own settings have to do with a gate's result."""
    if gate == "in_lane" and rules.problem:
        return f"; the repository's settings are ignored: {rules.problem}"
    if gate == "honest" and rules.accepted:
        accepted = "; ".join(f"{name}: {reason}" for name, reason in sorted(rules.accepted.items()))
        return f"; accepted by the repository's settings: {accepted}"
    return ""


def _timed(
    name: str, findings: Callable[[Candidate], tuple[str, ...]], candidate: Candidate, detail: str
) -> GateResult:
    started = time.monotonic()
    return _gate(name, findings(candidate), detail, started)


def _gate(name: str, findings: tuple[str, ...], detail: str, started: float) -> GateResult:
    seconds = round(time.monotonic() - started, 4)
    result = Result.FAIL if findings else Result.PASS
    return GateResult(name, result, findings[0] if findings else detail, findings, (), seconds)


def not_run(*names: str, why: str) -> list[GateResult]:
    """Results of gates that were not run; it is said why."""
    return [GateResult(name, Result.NOT_RUN, f"not run: {why}") for name in names]
