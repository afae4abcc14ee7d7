"""Which questions are about to expire, and what their approvers are told."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.core import links
from functions.core.app import App
from functions.core.approvals import Approval, Approvals
from functions.core.approvers import EVERYBODY, person, with_links
from functions.core.incident import Incident, Status
from functions.core.incidents import Incidents
from functions.core.links import Link
from functions.core.notifications import Notifications

# People are reminded when a quarter of the time that they had is left: of seven days, in the last two.
_SHARE_LEFT = 0.25
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that reminding needs. `keys`: link keys, newest first; `page`: base address of the page."""

    incidents: Incidents
    approvals: Approvals
    notifications: Notifications
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
                reminded.append(incident.incident_id)
    return tuple(reminded)


def _is_due(approval: Approval, now: float) -> bool:
    asked = datetime.fromisoformat(approval.created_at).timestamp()
    left = approval.expires_at - now
    return 0 < left <= (approval.expires_at - asked) * _SHARE_LEFT


def _tell(approval: Approval, incident: Incident, desk: Desk) -> None:
    until = f"{datetime.fromtimestamp(approval.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    recipients = with_links(approval.approvers) if approval.approvers else (EVERYBODY,)
    for recipient in recipients:
        if person(recipient) == approval.first_person:
            continue
        link = Link(approval.approval_id, recipient, approval.expires_at)
        text = [
            textwrap.fill(f"A fix for {incident.app} still waits for a decision, until {until}.", _WIDTH),
            textwrap.fill(" ".join(incident.title.split()), _WIDTH),
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
