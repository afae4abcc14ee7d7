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
from functions.core.notify.notifications import About, Notifications
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


@dataclass(frozen=True, slots=True)
class Waiting:
    """The questions that nobody has decided."""

    reminded: tuple[str, ...]
    """Incidents of those that people were now reminded of."""
    questions_waiting: int
    oldest_question_share: int
    """Percent of its time that is over, of the question which has the least left; 0 where none waits."""


def remind(apps: Iterable[App], desk: Desk, now: float) -> Waiting:
    """Remind of every question whose time runs out, once each.

    The reminder is noted before it is sent: one that gets lost is better than one every hour.
    """
    reminded, shares = [], []
    for app in apps:
        for incident in desk.incidents.with_status(app.name, Status.AWAITING_APPROVAL):
            approval = desk.approvals.get(incident.approval_id)
            if not approval:
                continue
            share = _share_over(approval, now)
            shares.append(share)
            if 1 - _SHARE_LEFT <= share < 1 and desk.approvals.remind(approval.approval_id):
                _tell(approval, incident, desk)
                _tell_channels(approval, incident, app, desk)
                reminded.append(incident.incident_id)
    return Waiting(tuple(reminded), len(shares), round(100 * max(shares, default=0)))


def _share_over(approval: Approval, now: float) -> float:
    """How much of the time that people had is over: 0 just now, 1 at the end and after."""
    asked = datetime.fromisoformat(approval.created_at).timestamp()
    return min(1.0, (now - asked) / (approval.expires_at - asked))


def _tell(approval: Approval, incident: Incident, desk: Desk) -> None:
    until = moment(approval.expires_at, approval.time_zone)
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
        about = About.incident(incident, "reminder")
        desk.notifications.send(subject, "\n".join(text) + "\n", recipient, about)


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
