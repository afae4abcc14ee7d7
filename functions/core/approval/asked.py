"""Whether a record is about what a heal's state holds: which bytes, on what, by which evidence."""

from __future__ import annotations

from functions.core.approval.approvals import Approval
from functions.core.workflow.artifacts import same_bytes
from functions.core.workflow.state import HealState

EVIDENCE = "evidence_key"
_LATER = ("source_key", "head_key", "dependencies_key", "review_key")
"""What records of before these were kept have none of."""


def differing(approval: Approval, state: HealState) -> list[str]:
    """The fields in which the record is not about this state. A reference says which bytes are meant; the
    evidence is what people saw, or that to which their approval was carried over."""
    validation, source = state.validation, state.source
    values = {
        "incident_id": state.incident_id,
        "heal_id": state.heal_id,
        "base_sha": source.base_sha,
        "patch_sha256": validation.patch_sha256,
    }
    keys = {
        "patch_key": validation.patch_key,
        EVIDENCE: validation.evidence_key,
        "proposal_key": state.proposal.key,
        "source_key": source.key,
        "head_key": source.head_key,
        "dependencies_key": state.dependencies.key,
        "review_key": state.review.key,
    }
    found = [name for name, value in values.items() if getattr(approval, name) != value]
    for name, key in keys.items():
        was = getattr(approval, name)
        unknown = name in _LATER and not was
        carried = name == EVIDENCE and approval.carried_to and same_bytes(approval.carried_to, key)
        if not (unknown or carried or same_bytes(was, key)):
            found.append(name)
    return found
