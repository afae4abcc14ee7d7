"""After gate 7: a patch brings nothing beside the fix, and what the fix gives is what the code promises.

A right fix may carry something extra: a branch, or another result, for inputs that have nothing to do with
the incident. No test of the repository need know of it. So everything that the patch adds must be run, by a
test or by a call that the search makes up, and calls that had a result before the patch must have an equal
one after it. Calls that failed as the incident did show what the fix gives (see `promises`).
"""

from __future__ import annotations

from functions.core.evidence import GateResult, Result
from functions.core.redaction import redact
from functions.harness.experiment import Calls
from functions.validate_patch import promises
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.pieces import Piece, added
from functions.validate_patch.told import Told

GATE = "nothing_extra"
_SHOWN = 5


def result(candidate: Candidate, told: Told) -> GateResult:
    """The gate's result. Needs a reproduction: without one, too little is run."""
    calls = told.proof.calls
    if calls is None:
        shown = told.proof.reproduction
        reproduced = shown is not None and shown.verdict.names
        why = "there was no time left for it" if reproduced else "the error was not reproduced"
        return GateResult(GATE, Result.NOT_RUN, f"not run: {why}")
    pieces = added(candidate)
    not_run = [pieces[number] for number in sorted(calls.left) if number < len(pieces)]
    findings = [
        f"{_shown(piece)} is added, but neither a test nor a call that worked before runs it: remove what the"
        " fix does not need, or let the regression test run it"
        for piece in not_run
        if not piece.only_raises
    ]
    findings += _differing(calls)
    findings += promises.broken(candidate, calls.mended)
    if findings:
        return GateResult(GATE, Result.FAIL, findings[0], tuple(findings[:_SHOWN]))
    detail = (
        f"all that is added is run; {len(calls.worked)} made-up calls that worked before have the same result"
    )
    if not_run:
        detail += f"; nothing runs what only raises: {'; '.join(map(_shown, not_run[:_SHOWN]))}"
    return GateResult(GATE, Result.PASS, detail)


def _shown(piece: Piece) -> str:
    return f"{piece.path}:{piece.span[0]}: `{redact(piece.text)}`"


def _differing(calls: Calls) -> list[str]:
    return [
        redact(f"{now['call']} was {was['shown']} before the patch and is {now['shown']} after it"[:300])
        + ": the fix must not change what worked"
        for now, was in calls.differing
    ]
