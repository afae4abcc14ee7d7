"""Whether what is to be committed is what people approved: asked again of the approval's own record.

The decision that travels in the state says that it was enough. Here the record is believed: who approved,
whether they may, and whether they are as many different people as it takes. A decision that was sent by hand,
with the task token, has no record: it counts where whoever may answer the task may decide.
"""

from __future__ import annotations

from typing import Any

from functions.commit_patch.commit import Approved
from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.approvers import may_decide, person
from functions.core.workflow.errors import ApprovalMismatch

_SAME = ("patch_sha256", "patch_key", "evidence_key")


def sent_by_hand(state: dict[str, Any]) -> Approved:
    """What was approved by a decision that names no record. Raises ApprovalMismatch where the app says who
    decides, or how many must.
    """
    if state.get("callback_decides") is not True:
        raise ApprovalMismatch("nobody's approval is on record, and the app needs one; nothing was committed")
    decision = state["decision"]
    return Approved(decision["patch_sha256"], decision["base_sha"], decision["decided_at"], decision["by"])


def confirmed(approval: Approval | None, state: dict[str, Any]) -> Approved:
    """What was approved. Raises ApprovalMismatch for anything but a sufficient approval of this very
    state.
    """
    if approval is None:
        raise ApprovalMismatch(
            f"there is no approval {state['decision']['approval_id']!r}; nothing was committed"
        )
    differing = [name for name in _SAME if getattr(approval, name) != state["validation"][name]]
    if (approval.incident_id, approval.heal_id) != (state["incident_id"], state["heal_id"]):
        differing.append("incident")
    if approval.base_sha != state["source"]["base_sha"]:
        differing.append("base_sha")
    if approval.proposal_key != state["proposal"]["key"]:
        differing.append("proposal_key")
    if differing:
        raise ApprovalMismatch(
            f"what was approved differs in its {', '.join(differing)}; nothing was committed"
        )
    if approval.decision != Verdict.APPROVE:
        raise ApprovalMismatch(f"the record says {approval.decision or 'nothing'!r}; nothing was committed")
    names = [name for name in (approval.first_by, approval.by) if name]
    strangers = [name for name in names if not may_decide(name, approval.approvers)]
    if strangers or not names:
        raise ApprovalMismatch(f"approved by {strangers or 'nobody'}, who may not; nothing was committed")
    if not approval.suffices(person(approval.by)) and len({person(name) for name in names}) < 2:
        raise ApprovalMismatch("it takes two people, and one has approved; nothing was committed")
    return Approved(approval.patch_sha256, approval.base_sha, approval.decided_at, approval.deciders)
