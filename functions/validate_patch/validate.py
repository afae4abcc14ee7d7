"""ValidatePatch without AWS: a tree, a proposal and its context in; evidence and the patch's bytes out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.core.source.archive import Member, MemberKind
from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import Build, Evidence, GateResult, Result, bounded
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.experiment import names_in
from functions.harness.proof import Nonsense, NotBelieved, Proof, Reproduction
from functions.harness.runner import Ran, Runner
from functions.validate_patch import (
    behaviour,
    capabilities,
    edits,
    effects,
    formatting,
    gates,
    order,
    regression_tests,
    reproduce,
    scope,
    settings,
    style,
    syntax,
    told,
)
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.diff import patch_of
from functions.validate_patch.judging import Judged, judged
from functions.validate_patch.rules import Rules
from functions.validate_patch.tree import EXECUTABLE, REGULAR, SYMLINK, File, Tree, changes_between

_MODES = {MemberKind.FILE: REGULAR, MemberKind.EXECUTABLE: EXECUTABLE, MemberKind.SYMLINK: SYMLINK}


@dataclass(frozen=True, slots=True)
class Validation:
    """The evidence, and the diff of everything that will be committed: b"" when the patch does not apply.

    tests: test files that were found, as path and text; reproduced: the tests that reproduced the incident,
    see `reproduction.ReproductionResult`; fixed_by: see `proof.Proof`.
    """

    evidence: Evidence
    patch: bytes
    tests: tuple[tuple[str, str], ...] = ()
    reproduced: tuple[str, ...] = ()
    fixed_by: int | None = None

    @property
    def proven(self) -> bool:
        """Whether a reproduction failed before the patch and passed after it."""
        return any(g.gate == reproduce.GATE and g.result is Result.PASS for g in self.evidence.gates)

    @property
    def reason(self) -> str:
        """One line: the first objection, or what was and was not proven."""
        if not self.evidence.accepted:
            return self.evidence.findings[0]
        asked = [question.text for question in self.evidence.questions]
        if asked:
            return "accepted, with questions: " + "; ".join(asked)
        if self.evidence.not_proven:
            return "accepted; not proven: " + "; ".join(self.evidence.not_proven)
        return "accepted: every gate passed"


def tree_of(members: Iterable[Member]) -> Tree:
    """The tree that an archive or a directory holds."""
    return {member.path: File(member.data, _MODES[member.kind]) for member in members}


def validate(
    tree: Tree,
    proposal: Proposal,
    context: ValidationContext,
    base_sha: str,
    runner: Runner,
    *,
    dependencies: bytes = b"",
    not_installed: str = "",
) -> Validation:
    """Put a proposal through all gates, in order; a gate that needs an earlier one's success waits for it.

    `tree` is the repository at `base_sha`. dependencies: an archive of the repository's. `not_installed`
    says why they could not be installed: then nothing is run, because nothing would follow from it. The same
    input gives the same patch bytes. Raises what the runner raises when it cannot work at all: nothing about
    the patch follows then.
    """
    examined = examine(tree, proposal, context)
    if why := why_not_run(examined, not_installed):
        return conclude(
            examined, examined.candidate, not_run(*running_of(examined.candidate), why=why), base_sha
        )
    nonce, asked = secrets.token_hex(16), order.asked(examined.candidate)
    ran = runner.run(order.job_of(examined.candidate, asked, nonce, dependencies))
    return judge(examined, ran, nonce, asked, base_sha)


def why_not_run(examined: Examined, not_installed: str) -> str:
    """Why there is no use in running anything, or ""."""
    if not examined.passed:
        return EARLIER
    if not_installed:
        return f"the repository's dependencies are not installed: {not_installed}"
    return ""


EARLIER = "an earlier gate failed"


def judge(
    examined: Examined,
    ran: Ran,
    nonce: str,
    asked: Mapping[str, Any],
    base_sha: str,
    build: Build | None = None,
) -> Validation:
    """The verdict on what was run, wherever that was. asked: what the job asked for."""
    candidate, names = examined.candidate, running_of(examined.candidate)
    try:
        report = told.read(ran, nonce, asked, names_in(candidate.before))
        if report.proof.fixed_by is not None or not examined.passed:
            why = EARLIER if not examined.passed else "the error is gone without it"
            result = conclude(examined, candidate, not_run(*names, why=why), base_sha, build)
            return replace(result, fixed_by=report.proof.fixed_by)
        extended, running, found = _drawn(candidate, report)
    except told.NotRun as error:
        running = not_run(*names, why=f"{error} ({ran.where})")
        return conclude(examined, candidate, running, base_sha, build)
    except NotBelieved as error:
        finding = redact(f"{error}; a patch must leave its tests' process alone ({ran.where})")
        running = [GateResult(gate, Result.FAIL, finding, (finding,)) for gate in names]
        return conclude(examined, candidate, running, base_sha, build)
    ran_at_all = next((number for number, gate in enumerate(running) if gate.runs), None)
    if ran_at_all is not None:
        said = f"{running[ran_at_all].detail} ({ran.where}; Python {report.python})"
        running[ran_at_all] = replace(running[ran_at_all], detail=said)
    shown = report.proof.reproduction or Reproduction()
    return replace(
        conclude(examined, extended, running, base_sha, build, found),
        tests=tuple((path, text) for path, text in shown.tests.items() if text is not None),
        reproduced=shown.verdict.names,
    )


def _drawn(candidate: Candidate, report: told.ReplayedReport) -> tuple[Candidate, list[GateResult], Judged]:
    """The gates' results, and the candidate with a test that was found. Raises NotBelieved: what runs report
    is read here for the first time where it is shown."""
    try:
        extended, reproduced = reproduce.result(candidate, report)
        joined = reproduce.joined(candidate, report)
        suite, others = regression_tests.result(candidate, report), effects.result(extended, report)
        running = [reproduced, *joined, suite, others]
        found = judged(candidate, report.proof)
        return extended, running, replace(found, behaviour=behaviour.rows(candidate, report.proof.calls))
    except Nonsense as error:
        raise NotBelieved("a run's report is not what the harness writes") from error


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate, and the results of the gates that only read it."""

    candidate: Candidate
    gates: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        return all(gate.result is not Result.FAIL for gate in self.gates)


def examine(tree: Tree, proposal: Proposal, context: ValidationContext) -> Examined:
    """Lay a proposal out in the repository's style, and put it through the gates that only read. Takes
    milliseconds, beside what a formatter takes."""
    started = time.monotonic()
    applied = edits.apply(tree, proposal)
    after, by = style.in_style(tree, applied.tree)
    candidate = Candidate(
        before=tree,
        after=after,
        changes=changes_between(tree, after),
        proposal=proposal,
        context=context,
        rules=Rules.of(context.app, tree),
    )
    detail = "every edit matches exactly once" + (f"; laid out by {', '.join(by)}" if by else "")
    applies = _gate("applies", applied.findings, detail, started)
    return Examined(candidate, (applies, *_read_only(candidate, may_run=not applied.findings)))


def conclude(
    examined: Examined,
    candidate: Candidate,
    running: Iterable[GateResult],
    base_sha: str,
    build: Build | None = None,
    found: Judged | None = None,
) -> Validation:
    """The evidence of all gates, and the patch. `candidate` has a test more when one was found.

    found: what the principles say to the results; None where nothing was run, so that they have to do with
    what can be read.
    """
    running = list(running)
    if found is None:
        failed = not examined.passed or any(gate.result is Result.FAIL for gate in running)
        found = Judged(tuple(not_run(*JUDGED, why=EARLIER))) if failed else judged(candidate, Proof())
    applies, in_scope = examined.gates[:2]
    patch = b"" if applies.result is Result.FAIL else patch_of(candidate.changes)
    digest = hashlib.sha256(patch).hexdigest() if patch else ""
    context = candidate.context
    warnings = settings.warnings(candidate, found.accepted) if in_scope.result is Result.PASS else ()
    evidence = Evidence(
        tuple(map(bounded, (*examined.gates, *running, *found.gates))),
        digest,
        base_sha,
        context.base_reason,
        build,
        warnings,
        context.python,
        found.questions,
        found.behaviour,
        joined=tuple(other.incident_id for other in context.joined),
    )
    return Validation(evidence, patch)


RUNNING = tuple(gate.name for gate in gates.RUNNING)
"""Gates that run strangers' code, for every patch."""
JUDGED = tuple(gate.name for gate in gates.JUDGED)
"""Gates that judge what the runs showed."""
GATES = tuple(gate.name for gate in gates.GATES)
"""All of them, in the order of the evidence."""
_READ = GATES[1:5]


def running_of(candidate: Candidate) -> tuple[str, ...]:
    """Gates that run strangers' code for this patch."""
    first, *rest = RUNNING
    return (first, *([reproduce.JOINED] if candidate.context.joined else []), *rest)


def _read_only(candidate: Candidate, *, may_run: bool) -> list[GateResult]:
    """The gates after the first that read but run nothing: each guards those after it."""
    if not may_run:
        return not_run(*_READ, why=EARLIER)
    problem = settings.problem(candidate)
    remark = f"; of the repository's settings: {problem}" if problem else ""
    detail = "all files are ones that a patch may touch" + remark
    in_scope = _timed("scope", scope.findings, candidate, detail)
    if in_scope.result is not Result.PASS:
        return [in_scope, *not_run(*_READ[1:], why=EARLIER)]
    started = time.monotonic()
    checked = syntax.check(candidate)
    formatted = _timed("formatting", formatting.findings, candidate, "only what the fix changes")
    if checked.unread and not checked.findings:
        # What these files are like is not known, so it is no finding; whoever approves has to read them.
        return [in_scope, *not_run(*_READ[1:3], why="; ".join(checked.unread)), formatted]
    parses = _gate(
        "parses", checked.findings, "every changed file parses and has no new undefined name", started
    )
    if parses.result is not Result.PASS:
        return [in_scope, parses, *not_run(capabilities.GATE, why=EARLIER), formatted]
    detail = "no secret, and no capability that the code did not use before"
    reached = _timed(capabilities.GATE, capabilities.findings, candidate, detail)
    return [in_scope, parses, reached, formatted]


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
