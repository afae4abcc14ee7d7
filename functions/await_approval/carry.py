"""Whether what people approved holds for a later proof of the same bytes.

Others of the same cause may have joined while people decided. Then the patch is proven again with these, and
where nothing about it is worse, nobody is asked a second time.
"""

from __future__ import annotations

from collections.abc import Sequence

from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.asked import EVIDENCE, differing
from functions.core.workflow.evidence import Evidence, GateResult, Result
from functions.core.workflow.state import HealState

_JOINED = "joined_reproduce"


def may_hold(approval: Approval, state: HealState) -> bool:
    """Whether this is the approval that was given last, and is of the same bytes on the same base."""
    return (
        state.decision.approval_id == approval.approval_id
        and approval.decision == Verdict.APPROVE
        and set(differing(approval, state)) <= {EVIDENCE}
        # What looks like a record of before opinions were noted: this one is of now.
        and bool(approval.review_key) == bool(state.review.key)
    )


def as_good(seen: Evidence, now: Evidence, late: Sequence[str]) -> bool:
    """Whether every gate says of the later proof what it said of the one that people saw, or passes, and each
    incident that joined late is reproduced and mended, beside all of those that people saw to be.

    Evidence that does not tell of these is no later proof: that is what is kept where the later one failed.
    """
    return (
        {*late, *seen.joined} <= set(now.joined)
        and now.accepted
        and (now.patch_sha256, now.base_sha) == (seen.patch_sha256, seen.base_sha)
        and set(now.questions) <= set(seen.questions)
        and set(now.warnings) <= set(seen.warnings)
        and _no_worse(seen.gates, now.gates)
        and _no_worse(_deployed(seen), _deployed(now))
    )


def _deployed(evidence: Evidence) -> tuple[GateResult, ...]:
    return evidence.deployed.gates if evidence.deployed else ()


def _no_worse(seen: Sequence[GateResult], now: Sequence[GateResult]) -> bool:
    """What was not run before may be so again, but for those that joined: each of them has to be green. It is
    worse where a gate says nothing any more."""
    before = {gate.gate: gate.result for gate in seen if gate.gate != _JOINED}
    return before.keys() <= {gate.gate for gate in now} and all(
        gate.result in (Result.PASS, before.get(gate.gate)) for gate in now
    )
