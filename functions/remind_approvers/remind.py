"""Which questions are about to expire, and what their approvers are told."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from functions.core.approval import links
from functions.core.approval.announcement import Fix, Page, announce, moment
from functions.core.approval.approvals import Approval, Approvals
from functions.core.approval.approvers import EVERYBODY, person, with_links
from functions.core.approval.links import Link
from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.core.untrusted.inert import inert_line
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.proposal import Proposal

# People are reminded when a quarter of the time that they had is left: of seven days, in the last two.
_SHARE_LEFT = 0.25
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that reminding needs. `keys`: link keys, newest first; `page`: base address of the page."""

    incidents: Incidents
    approvals: Approvals
    artifacts: Artifacts
    notifications: Notifications
    webhooks: Webhooks
    keys: tuple[bytes, ...]
    page: str


def remind(apps: Iterable[App], desk: Desk, now: float) -> tuple[str, ...]:
    """Remind of every question whose time runs out, once each; the ids of their incidents.

    The reminder is noted before it is sent: one that gets lost is better than one every hour.
    """
    reminded = []
    for app in apps:
        for incident in desk.incidents.with_status(app.name, Status.AWAITING_APPROVAL):
            approval = desk.approvals.get(incident.approval_id)
            if approval and _is_due(approval, now) and desk.approvals.remind(approval.approval_id):
                _tell(approval, incident, desk)
                _tell_channels(approval, incident, app, desk)
                reminded.append(incident.incident_id)
    return tuple(reminded)


def _is_due(approval: Approval, now: float) -> bool:
    asked = datetime.fromisoformat(approval.created_at).timestamp()
    left = approval.expires_at - now
    return 0 < left <= (approval.expires_at - asked) * _SHARE_LEFT


def _tell(approval: Approval, incident: Incident, desk: Desk) -> None:
    until = moment(approval.expires_at)
    recipients = with_links(approval.approvers) if approval.approvers else (EVERYBODY,)
    for recipient in recipients:
        if person(recipient) == approval.first_person:
            continue
        link = Link(approval.approval_id, recipient, approval.expires_at)
        text = [
            textwrap.fill(f"A fix for {incident.app} still waits for a decision, until {until}.", _WIDTH),
            textwrap.fill(inert_line(incident.title), _WIDTH),
            "",
            "Read the evidence and decide:",
            links.url(desk.page, link, desk.keys[0]),
            "",
            textwrap.fill("After that the heal times out; a redrive asks again.", _WIDTH),
            "",
            f"Incident {incident.incident_id}",
        ]
        subject = f"[{incident.app}] Decide until {until}: {incident.title}"
        desk.notifications.send(subject, "\n".join(text) + "\n", recipient)


def _tell_channels(approval: Approval, incident: Incident, app: App, desk: Desk) -> None:
    proposal = Proposal.from_json(desk.artifacts.get_json(approval.proposal_key))
    post = announce(
        approval,
        incident,
        Fix(redact(proposal.title), redact(proposal.root_cause), proposal.confidence),
        Evidence.from_json(desk.artifacts.get_json(approval.evidence_key)),
        app=app,
        patch=desk.artifacts.get(approval.patch_key),
        page=Page(desk.page, desk.keys[0]),
        headline=f"{incident.app}: still waits for a decision: {incident.title}",
    )
    desk.webhooks.post(incident.app, post)
