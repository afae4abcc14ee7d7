"""Puts the question: opens the approval, closes the one before, marks the incident, tells the approvers."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from functions.await_approval.carry import as_good, may_hold
from functions.core.approval import links
from functions.core.approval.announcement import Fix, Page, announce
from functions.core.approval.approvals import Approval, Approvals, ApprovalStatus, Verdict
from functions.core.approval.approvers import EVERYBODY, may_decide, person, with_links
from functions.core.approval.identity import LINK
from functions.core.approval.letter import compose
from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.notifications import About
from functions.core.notify.outbox import tell_at
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifact, bound
from functions.core.workflow.errors import PermanentError
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal
from functions.core.workflow.origin import Origin
from functions.core.workflow.state import HealState


@dataclass(frozen=True, slots=True)
class Asked:
    """For the log only: the task's result is what a human decides."""

    status: str
    expires_at: int

    def to_state(self) -> dict[str, Any]:
        return asdict(self)


def run(state: HealState, deployment: Deployment) -> Asked:
    approval = ask(state, deployment, int(time.time()) + int(deployment.setting("approval_ttl_seconds")))
    return Asked(str(approval.status), approval.expires_at)


def ask(state: HealState, deployment: Deployment, expires_at: int) -> Approval:
    """Ask, or, in a repeated run of the step, make sure that it was asked.

    Returns the approval in force. Raises PermanentError when another execution owns the incident, and
    whatever AWS raises: the workflow then fails the task.
    """
    heal, keys = state.heal, deployment.link_keys.all()
    incident = deployment.incidents.get(heal.incident_id)
    if incident.execution_arn != state.execution_arn:
        raise _not_ours(heal)
    if carried := _carried(state, incident, deployment):
        return carried
    app = deployment.registry.app(heal.app)
    approval_id = links.derive_approval_id(
        keys[0],
        state.execution_arn,
        heal.attempt,
        state.redrive_count,
        state.source.base_sha,
        state.asked_again,
    )
    previous_id = incident.approval_id if incident.approval_id != approval_id else ""
    approval = deployment.approvals.open(
        Approval(
            approval_id=approval_id,
            incident_id=heal.incident_id,
            app=heal.app,
            heal_id=heal.heal_id,
            execution_arn=state.execution_arn,
            attempt=heal.attempt,
            redrive_count=state.redrive_count,
            patch_sha256=state.validation.patch_sha256,
            base_sha=state.source.base_sha,
            patch_key=bound(state.validation.patch_key),
            evidence_key=bound(state.validation.evidence_key),
            proposal_key=bound(state.proposal.key),
            source_key=bound(state.source.key),
            head_key=bound(state.source.head_key),
            dependencies_key=state.dependencies.key,
            review_key=bound(state.review.key),
            patch_attempt=state.standing.attempt,
            standing=state.standing.why,
            expires_at=expires_at,
            tell_at=tell_at(app, time.time(), expires_at),
            repository=app.repository,
            time_zone=app.time_zone,
            page=deployment.page,
            previous_id=previous_id,
            approvers=app.approvers,
            approvals_needed=app.approvals_needed,
            change_authors=_change_authors(
                deployment.approvals, previous_id, heal, state.standing.attempt or heal.attempt
            ),
            token=deployment.tokens.seal(state.task_token, approval_id),
        )
    )
    if previous_id:
        deployment.approvals.supersede(previous_id)
    owned = deployment.incidents.advance(
        heal.incident_id,
        state.execution_arn,
        status=str(Status.AWAITING_APPROVAL),
        approval_id=approval_id,
        base_sha=state.source.base_sha,
        patch_sha256=state.validation.patch_sha256,
        attempts=heal.attempt,
    )
    if owned is None:
        raise _not_ours(heal)
    if approval.status is ApprovalStatus.PENDING:
        if approval.to_be_told(time.time()):
            _tell(approval, owned, _fix(state), app, deployment)
            # Noted once it is sent: told twice is better than never.
            deployment.approvals.tell(approval.approval_id, approval.told_at)
    elif approval.status is ApprovalStatus.DECIDED:
        # Somebody answered the first run of this step, which AWS then gave up: the answer counts.
        return deployment.decisions.deliver(approval)
    return approval


def _carried(state: HealState, incident: Incident, deployment: Deployment) -> Approval | None:
    """What people approved, delivered once more where it holds for this proof too; None where it does not,
    or nothing was approved: they are asked."""
    approvals, late = deployment.approvals, state.commit.late
    approval = approvals.get(incident.approval_id) if late and incident.approval_id else None
    if late is None or approval is None or not may_hold(approval, state):
        return None
    artifacts, now = deployment.artifacts_of(state.heal), bound(state.validation.evidence_key)
    seen, again = (Evidence.from_json(artifacts.get_json(key)) for key in (approval.evidence_key, now))
    if not as_good(seen, again, late.incidents):
        return None
    token = deployment.tokens.seal(state.task_token, approval.approval_id)
    carried = approvals.carry(approval.approval_id, now, token)
    return deployment.decisions.deliver(carried) if carried else None


def _fix(state: HealState) -> Fix:
    proposal = state.proposal
    return Fix(
        proposal.title,
        proposal.reason,
        proposal.confidence or 0.0,
        state.review.summary,
        by=proposal.answered_by or proposal.model,
    )


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


def _tell(approval: Approval, incident: Incident, fix: Fix, app: App, deployment: Deployment) -> None:
    heal = Heal(approval.incident_id, approval.app, approval.heal_id, approval.attempt)
    artifacts = deployment.artifacts_of(heal)
    evidence = Evidence.from_json(artifacts.get_json(approval.evidence_key))
    patch = artifacts.get(approval.patch_key)
    found = artifacts.find_json(heal.key(Artifact.ORIGIN))
    origin = Origin.from_json(found) if found else None
    key = deployment.link_keys.all()[0]
    for recipient in with_links(approval.approvers) or (EVERYBODY,):
        link = links.Link(approval.approval_id, recipient, approval.expires_at)
        # Where only IAM identities may decide, a link would be of no use to anybody.
        usable = may_decide(recipient, approval.approvers)
        message = compose(
            incident,
            fix,
            evidence,
            link=links.url(deployment.page, link, key) if usable else "",
            recipient=recipient,
            approval=approval,
            patch=redact(patch.decode(errors="backslashreplace")),
            place=origin.place if origin else "",
            signed_in=deployment.identity_from != LINK,
            commands=deployment.commands,
        )
        about = About.incident(incident, "question")
        deployment.notifications.send(message.subject, message.text, recipient, about, verbatim=True)
    channels = announce(
        approval,
        incident,
        fix,
        evidence,
        app=app,
        patch=patch,
        page=Page(deployment.page, key, deployment.console),
        headline=f"{incident.app}: approve a fix? {incident.title}",
    )
    deployment.webhooks.post(incident.app, channels)
