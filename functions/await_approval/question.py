"""Puts the question: opens the approval, closes the one before, marks the incident, tells the approvers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from functions.await_approval.message import compose
from functions.core.approval import links
from functions.core.approval.announcement import Fix, Page, announce
from functions.core.approval.approvals import Approval, Approvals, ApprovalStatus, Verdict
from functions.core.approval.approvers import EVERYBODY, may_decide, person, with_links
from functions.core.approval.decisions import Decisions
from functions.core.approval.identity import LINK
from functions.core.approval.task_tokens import TaskTokens
from functions.core.apps.app import App
from functions.core.apps.registry import Registry
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import PermanentError
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """The state input of AwaitApproval, with what the workflow adds to it."""

    heal: Heal
    execution_arn: str
    redrive_count: int
    patch_sha256: str
    base_sha: str
    patch_key: str
    evidence_key: str
    proposal_key: str
    source_key: str
    dependencies_key: str
    review_key: str
    fix: Fix
    task_token: str = field(repr=False)
    """Kept out of the representation, which ends up in logs and tracebacks."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read the state input (see functions/core/workflow/heal.py)."""
        return cls(
            heal=Heal.from_state(state),
            execution_arn=state["execution_arn"],
            redrive_count=int(state["redrive_count"]),
            patch_sha256=state["validation"]["patch_sha256"],
            base_sha=state["source"]["base_sha"],
            patch_key=state["validation"]["patch_key"],
            evidence_key=state["validation"]["evidence_key"],
            proposal_key=state["proposal"]["key"],
            source_key=state["source"]["key"],
            dependencies_key=state.get("dependencies", {}).get("key", ""),
            review_key=state.get("review", {}).get("key", ""),
            fix=Fix(
                title=state["proposal"]["title"],
                root_cause=state["proposal"]["reason"],
                confidence=float(state["proposal"]["confidence"]),
                second_opinion=state.get("review", {}).get("summary", ""),
            ),
            task_token=state["task_token"],
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that asking needs."""

    approvals: Approvals
    incidents: Incidents
    artifacts: Artifacts
    registry: Registry
    decisions: Decisions
    tokens: TaskTokens
    notifications: Notifications
    webhooks: Webhooks
    keys: tuple[bytes, ...]
    """Link keys, newest first."""
    page: str
    """Base address of the approval page, ending in `/`."""
    identity_from: str
    """Who decides there: see `functions.core.approval.identity`."""


def ask(question: ApprovalRequest, desk: Desk, expires_at: int) -> Approval:
    """Ask, or, in a repeated run of the step, make sure that it was asked.

    Returns the approval in force. Raises PermanentError when another execution owns the incident, and
    whatever AWS raises: the workflow then fails the task.
    """
    heal = question.heal
    incident = desk.incidents.get(heal.incident_id)
    if incident.execution_arn != question.execution_arn:
        raise _not_ours(heal)
    app = desk.registry.app(heal.app)
    approval_id = links.derive_approval_id(
        desk.keys[0], question.execution_arn, heal.attempt, question.redrive_count
    )
    previous_id = incident.approval_id if incident.approval_id != approval_id else ""
    approval = desk.approvals.open(
        Approval(
            approval_id=approval_id,
            incident_id=heal.incident_id,
            app=heal.app,
            heal_id=heal.heal_id,
            execution_arn=question.execution_arn,
            attempt=heal.attempt,
            redrive_count=question.redrive_count,
            patch_sha256=question.patch_sha256,
            base_sha=question.base_sha,
            patch_key=question.patch_key,
            evidence_key=question.evidence_key,
            proposal_key=question.proposal_key,
            source_key=question.source_key,
            dependencies_key=question.dependencies_key,
            review_key=question.review_key,
            expires_at=expires_at,
            repository=app.repository,
            page=desk.page,
            previous_id=previous_id,
            approvers=app.approvers,
            approvals_needed=app.approvals_needed,
            change_authors=_change_authors(desk.approvals, previous_id, heal),
            token=desk.tokens.seal(question.task_token, approval_id),
        )
    )
    if previous_id:
        desk.approvals.supersede(previous_id)
    owned = desk.incidents.advance(
        heal.incident_id,
        question.execution_arn,
        status=str(Status.AWAITING_APPROVAL),
        approval_id=approval_id,
        base_sha=question.base_sha,
        patch_sha256=question.patch_sha256,
        attempts=heal.attempt,
    )
    if owned is None:
        raise _not_ours(heal)
    if approval.status is ApprovalStatus.PENDING:
        _tell(approval, owned, question.fix, app, desk)
    elif approval.status is ApprovalStatus.DECIDED:
        # Somebody answered the first run of this step, which AWS then gave up: the answer counts.
        return desk.decisions.deliver(approval)
    return approval


def _not_ours(heal: Heal) -> PermanentError:
    return PermanentError(f"incident {heal.incident_id!r} belongs to another execution; nothing was asked")


def _change_authors(approvals: Approvals, previous_id: str, heal: Heal) -> tuple[str, ...]:
    """Who asked for changes earlier in this heal, in order, each once."""
    asked = (
        person(old.by)
        for old in reversed(approvals.history(previous_id))
        if old.heal_id == heal.heal_id and old.decision == Verdict.REVISE
    )
    return tuple(dict.fromkeys(asked))


def _tell(approval: Approval, incident: Incident, fix: Fix, app: App, desk: Desk) -> None:
    evidence = Evidence.from_json(desk.artifacts.get_json(approval.evidence_key))
    for recipient in with_links(approval.approvers) or (EVERYBODY,):
        link = links.Link(approval.approval_id, recipient, approval.expires_at)
        # Where only IAM identities may decide, a link would be of no use to anybody.
        usable = may_decide(recipient, approval.approvers)
        message = compose(
            incident,
            fix,
            evidence,
            link=links.url(desk.page, link, desk.keys[0]) if usable else "",
            recipient=recipient,
            expires_at=approval.expires_at,
            redriven=approval.redrive_count > 0,
            signed_in=desk.identity_from != LINK,
        )
        desk.notifications.send(message.subject, message.text, recipient)
    channels = announce(
        approval,
        incident,
        fix,
        evidence,
        app=app,
        patch=desk.artifacts.get(approval.patch_key),
        page=Page(desk.page, desk.keys[0]),
        headline=f"{incident.app}: approve a fix? {incident.title}",
    )
    desk.webhooks.post(incident.app, channels)
