"""CommitPatch within a heal: what people approved, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from functions.commit_patch.commit import check, commit
from functions.commit_patch.late import late
from functions.commit_patch.message import commit_message
from functions.commit_patch.record import confirmed, sent_by_hand
from functions.core.aws.deployment import Deployment
from functions.core.workflow.errors import ApprovalMismatch, PermanentError
from functions.core.workflow.joined import MOST_NAMED
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.state import CommitState, HealState, MovedState


def run(state: HealState, deployment: Deployment) -> CommitState:
    """Raises ApprovalMismatch, PermanentError where another execution owns the incident by now, and what
    `commit` raises.

    A decision without a record of it, or with another one, was sent by somebody who has the task token: no
    redrive makes it one, so people are asked again.
    """
    artifacts = deployment.artifacts_of(state.heal)
    approval_id = state.decision.approval_id
    record = deployment.approvals.get(approval_id) if approval_id else None
    app, incident = deployment.registry.app(state.app), deployment.incidents.get(state.incident_id)
    if incident.execution_arn.rpartition(":")[2] != state.heal_id:
        # Started over, and then this one was redriven: its branch is the other heal's.
        raise PermanentError(
            f"incident {incident.incident_id!r} belongs to another execution; nothing was committed"
        )
    try:
        approved = confirmed(record, state, incident, app) if approval_id else sent_by_hand(state, app)
    except ApprovalMismatch as error:
        if not state.may_ask:
            raise
        return CommitState(unconfirmed=str(error))
    patch = artifacts.get(state.validation.patch_key)
    check(patch, state.validation.patch_sha256, state.source.base_sha, approved)

    proposal = Proposal.from_json(artifacts.get_json(state.proposal.key))
    message = commit_message(
        incident,
        proposal,
        execution=state.heal_id,
        approved_by=approved.by,
        patch_sha256=approved.patch_sha256,
    )
    waiting = late(state, deployment.incidents.joined_with(incident, MOST_NAMED), artifacts)
    made = commit(
        app,
        deployment.remote(app),
        patch,
        approved,
        incident.branch_name,
        message,
        replaces=incident.commit_sha if state.follow_up else "",
        deployed_sha=state.source.deployed_sha,
        may_move=state.may_move,
        hold=waiting is not None,
        key=deployment.signing_key(app),
    )
    if isinstance(made, CommitState):
        return replace(made, carried_from=approved.carried_from)
    moved = MovedState(**made.keep(artifacts, state.heal)) if made else None
    return CommitState(moved=moved, late=waiting)
