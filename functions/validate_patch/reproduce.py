"""The regression test fails before the patch as the incident did, and passes after it; and so it is with each
incident that joined."""

from __future__ import annotations

from dataclasses import replace

from functions.core.incidents.incident import Incident
from functions.core.notify.counts import often
from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import GateResult, Result, Run
from functions.harness.outcome import RunOutcome
from functions.harness.proof import Reproduction
from functions.validate_patch import style
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.order import with_tests
from functions.validate_patch.principles.aim import names_a_value, singles_out
from functions.validate_patch.regression_tests import no_pytest
from functions.validate_patch.told import ReplayedReport
from functions.validate_patch.tree import changes_between

GATE, JOINED = "reproduces", "joined_reproduce"


def result(candidate: Candidate, told: ReplayedReport) -> tuple[Candidate, GateResult]:
    """The gate's result, and the candidate with the test that was found, if one was."""
    shown = told.proof.reproduction
    if told.pytest_problem:
        return candidate, _not_run(no_pytest(told))
    if shown is None:
        return candidate, _not_run("there was no time left for it")
    if _refuted(candidate, shown, candidate.context.incident):
        reason = redact(shown.reason)
        return candidate, GateResult(GATE, Result.FAIL, reason, (reason,))
    if shown.reason:
        return candidate, _not_run(redact(shown.reason))
    found = [(path, text) for path, text in shown.tests.items() if text is not None]
    if not found:
        return candidate, _judged(candidate, shown, found=False)
    return _in_style(candidate, with_tests(candidate, found)), _judged(candidate, shown, found=True)


def joined(candidate: Candidate, told: ReplayedReport) -> list[GateResult]:
    """The result for the incidents that joined; none where there are none."""
    others, beyond, shown = candidate.context.joined, candidate.context.joined_beyond, told.proof.joined
    if not others:
        return []
    red: list[str] = []
    unproven: list[str] = []
    for other in others:
        one = shown.get(other.incident_id) or Reproduction(reason=no_pytest(told) or "there was no time left")
        if not one.verdict.names:
            said = f"{other.incident_id}, which joined ({other.title}): {one.reason or one.verdict.objection}"
            (red if _refuted(candidate, one, other) else unproven).append(redact(said))
    green, every = len(others) - len(red) - len(unproven), len(others) + beyond
    counted = f"{green} of {every} that joined fail before the patch as they did, and pass after it"
    if red:
        return [GateResult(JOINED, Result.FAIL, red[0], tuple(red))]
    if beyond:
        unproven.append(f"{beyond} more, as one proof has time for {len(others)}")
    if unproven:
        return [GateResult(JOINED, Result.NOT_RUN, f"{counted}; not reproduced: {'; '.join(unproven)}")]
    return [GateResult(JOINED, Result.PASS, counted)]


def _refuted(candidate: Candidate, shown: Reproduction, incident: Incident) -> bool:
    """Whether a call that still fails is the incident, and not one that is like it but for another value."""
    names_one = names_a_value(incident.title.partition(": ")[2])
    return shown.refuted and names_one and not singles_out(candidate)


def _in_style(candidate: Candidate, extended: Candidate) -> Candidate:
    """The found test as a formatter of the repository would have it: what runs is the same."""
    after, _ = style.in_style(candidate.after, extended.after)
    return replace(extended, after=after, changes=changes_between(extended.before, after))


def _judged(candidate: Candidate, shown: Reproduction, *, found: bool) -> GateResult:
    runs = (_run(shown, "before", shown.fails[0]), _run(shown, "after", shown.passes[0]))
    seconds = round(sum(outcome.seconds for outcome in (*shown.fails, *shown.passes)), 4)
    if shown.verdict.lacking:
        return _not_run(shown.verdict.objection)
    if not shown.verdict.names:
        finding = redact(shown.verdict.objection)
        return GateResult(GATE, Result.FAIL, finding, (finding,), runs, seconds)
    if shown.toothless:
        why = "the regression test passes on every mutant of the patch too, so it proves nothing"
        return GateResult(GATE, Result.NOT_RUN, f"not run: {why}", (), runs, seconds)
    where = candidate.places[-1].function if candidate.places else "the reported place"
    detail = (
        f"{', '.join(shown.verdict.names)}: fails before the patch with"
        f" {candidate.context.incident.error_type} in {where}, passes after it;"
        f" {often(len(shown.fails))} each"
    )
    said = "; the test was found by search" if found else ""
    return GateResult(GATE, Result.PASS, detail + said, (), runs, seconds)


def _run(shown: Reproduction, tree: str, outcome: RunOutcome) -> Run:
    command = "pytest " + " ".join(shown.tests)
    return Run(command, tree, outcome.exit_code, outcome.seconds, redact(outcome.output[-4000:]))


def _not_run(why: str) -> GateResult:
    return GateResult(GATE, Result.NOT_RUN, f"not run: {why}")
