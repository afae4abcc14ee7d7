"""The incidents that joined while people decided: the patch is proven with them before it is committed."""

from __future__ import annotations

from collections.abc import Sequence

from functions.core.incidents.incident import Incident
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.joined import MOST_REPRODUCED, keep
from functions.core.workflow.state import HealState, LateState


def late(state: HealState, joined: Sequence[Incident], artifacts: Artifacts) -> LateState | None:
    """What is to be proven, written down for the proof; None where nothing is.

    Once for each patch: those that join after that, and those for which one proof has no time, are told of as
    not reproduced. Where they stayed red, people have approved it since, knowing that.

    joined: all that have by now, in the order in which they did.
    """
    patch, before = state.proposal.key, state.commit.late
    if not state.may_prove or (before and before.proposal_key == patch):
        return None
    proven = Evidence.from_json(artifacts.get_json(state.validation.evidence_key)).joined
    kept = [other for other in joined if other.incident_id in proven]
    came = [other for other in joined if other.incident_id not in proven]
    came = came[: max(MOST_REPRODUCED - len(kept), 0)]
    if not came:
        return None
    key = keep([*kept, *came], state.heal, artifacts)
    return LateState(tuple(other.incident_id for other in came), key, patch)
