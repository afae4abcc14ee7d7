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
from functions.core.notify.notifications import About, Notifications
from functions.core.notify.webhooks import Webhooks
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import PermanentError
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal
from functions.core.workflow.origin import ORIGIN, Origin


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
    patch_attempt: int
    """Whose patch it is; 0 for that of the heal's own attempt."""
    standing: str
    """Why nothing better than that patch could be proven."""
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
                by=str(state["proposal"].get("answered_by") or state["proposal"].get("model") or ""),
            ),
            patch_attempt=int(state.get("standing", {}).get("attempt", 0)),
            standing=str(state.get("standing", {}).get("why", "")),
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
        desk.keys[0], question.execution_arn, heal.attempt, question.redrive_count, question.base_sha
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
            patch_attempt=question.patch_attempt,
            standing=question.standing,
            expires_at=expires_at,
            repository=app.repository,
            time_zone=app.time_zone,
            page=desk.page,
            previous_id=previous_id,
            approvers=app.approvers,
            approvals_needed=app.approvals_needed,
            change_authors=_change_authors(
                desk.approvals, previous_id, heal, question.patch_attempt or heal.attempt
            ),
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


def _change_authors(approvals: Approvals, previous_id: str, heal: Heal, attempt: int) -> tuple[str, ...]:
    """Who asked for changes before this attempt of the heal was made, in order, each once."""
    asked = (
        person(old.by)
        for old in reversed(approvals.history(previous_id))
        if (old.heal_id, old.decision) == (heal.heal_id, Verdict.REVISE) and old.of_attempt < attempt
    )
    return tuple(dict.fromkeys(asked))


def _tell(approval: Approval, incident: Incident, fix: Fix, app: App, desk: Desk) -> None:
    evidence = Evidence.from_json(desk.artifacts.get_json(approval.evidence_key))
    patch = desk.artifacts.get(approval.patch_key)
    heal = Heal(approval.incident_id, approval.app, approval.heal_id)
    found = desk.artifacts.find_json(heal.key(ORIGIN))
    origin = Origin.from_json(found) if found else None
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
            approval=approval,
            patch=redact(patch.decode(errors="backslashreplace")),
            origin=origin,
            signed_in=desk.identity_from != LINK,
        )
        about = About.incident(incident, "question")
        desk.notifications.send(message.subject, message.text, recipient, about)
    channels = announce(
        approval,
        incident,
        fix,
        evidence,
        app=app,
        patch=patch,
        page=Page(desk.page, desk.keys[0]),
        headline=f"{incident.app}: approve a fix? {incident.title}",
    )
    desk.webhooks.post(incident.app, channels)
