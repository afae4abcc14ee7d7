"""Whether what is to be committed is what people approved: asked again of the approval's own record.

The decision that travels in the state says that it was enough. Here the record is believed: who approved,
whether they may, and whether they are as many different people as it takes, both as it was when they were
asked and as the app has it now: whoever is an approver no longer has approved nothing. A decision that was
sent by hand, with the task token, has no record: it counts where whoever may answer the task may decide.
"""

from __future__ import annotations

from dataclasses import replace

from functions.commit_patch.commit import Approved
from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.approvers import may_decide, person
from functions.core.approval.asked import differing
from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.core.workflow.artifacts import same_bytes
from functions.core.workflow.errors import ApprovalMismatch
from functions.core.workflow.state import HealState


def sent_by_hand(state: HealState, app: App) -> Approved:
    """What was approved by a decision that names no record. Raises ApprovalMismatch where the app says who
    decides, or how many must.
    """
    if not state.callback_decides or app.approvers or app.approvals_needed > 1:
        raise ApprovalMismatch("nobody's approval is on record, and the app needs one; nothing was committed")
    decision = state.decision
    return Approved(decision.patch_sha256, decision.base_sha, decision.decided_at, decision.by)


def confirmed(approval: Approval | None, state: HealState, incident: Incident, app: App) -> Approved:
    """What was approved. Raises ApprovalMismatch for anything but a sufficient approval of this very
    state, which is the incident's last question.
    """
    if approval is None:
        raise ApprovalMismatch(f"there is no approval {state.decision.approval_id!r}; nothing was committed")
    if differs := differing(approval, state):
        raise ApprovalMismatch(
            f"what was approved differs in its {', '.join(differs)}; nothing was committed"
        )
    if state.decision.by != approval.deciders:
        raise ApprovalMismatch(
            f"{state.decision.by!r} is not who approved it on record; nothing was committed"
        )
    if approval.approval_id != incident.approval_id:
        raise ApprovalMismatch("another question was asked since; nothing was committed")
    if approval.decision != Verdict.APPROVE:
        raise ApprovalMismatch(f"the record says {approval.decision or 'nothing'!r}; nothing was committed")
    names = [name for name in (approval.first_by, approval.by) if name]
    lists = (approval.approvers, app.approvers)
    strangers = [name for name in names if not all(may_decide(name, approvers) for approvers in lists)]
    if strangers or not names:
        raise ApprovalMismatch(f"approved by {strangers or 'nobody'}, who may not; nothing was committed")
    asked = replace(approval, approvals_needed=max(approval.approvals_needed, app.approvals_needed))
    if not asked.suffices(person(approval.by)) and len({person(name) for name in names}) < 2:
        raise ApprovalMismatch("it takes two people, and one has approved; nothing was committed")
    carried = not same_bytes(approval.evidence_key, state.validation.evidence_key)
    return Approved(
        approval.patch_sha256,
        approval.base_sha,
        approval.decided_at,
        approval.deciders,
        approval.evidence_key if carried else None,
    )
