"""What one person has before them: what waits for their decision, what is under way, what happened lately."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from functions.core.approval.approvals import Approval, Approvals, ApprovalStatus
from functions.core.approval.approvers import may_decide, person
from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import Incidents
from functions.core.workflow.proposal import ABSTENTION_CLASSES
from functions.decide_approval.follow import is_web

# Per app: more than anybody reads on one page, and what one query answers.
_LOOKED_AT = 100
_LATELY = 20
_PARALLEL = 8

_UNDER_WAY = {
    Status.NEW: "Noticed, not started yet",
    Status.HEALING: "Being worked on",
    Status.AWAITING_APPROVAL: "Waits for somebody else's decision",
    Status.PR_OPEN: "Pull request waits for review",
    Status.MERGED: "Merged, until it is deployed and the error stays away",
}
_OVER = {
    Status.RESOLVED: "Resolved",
    Status.ABSTAINED: "No patch proposed",
    Status.REJECTED: "Rejected",
    Status.FAILED: "Stopped by a failure",
    Status.SUPPRESSED: "Suppressed",
    Status.DIAGNOSED: "Diagnosed, no patch asked for",
    Status.PROPOSED: "Patch proven, nobody asked",
    Status.JOINED: "Healed with another one",
}
SAID = _UNDER_WAY | _OVER
"""Where an incident stands in words."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident in the list: where it stands in words, and where to go from here ("" for nowhere)."""

    incident: Incident
    standing: str
    url: str = ""

    @property
    def reason(self) -> str:
        """Why it ended as it did, without codes."""
        kind, colon, rest = self.incident.reason.partition(":")
        return (kind.replace("_", " ") if kind in ABSTENTION_CLASSES else kind) + colon + rest


@dataclass(frozen=True, slots=True)
class Overview:
    """The page's three parts, each with the most recently seen first."""

    waiting: tuple[IncidentRow, ...]
    under_way: tuple[IncidentRow, ...]
    lately: tuple[IncidentRow, ...]


def visible_apps(apps: Iterable[App], recipient: str, home: str) -> tuple[App, ...]:
    """The apps that a person may see: those that name them, and the one whose link led here (`home`)."""
    return tuple(
        app for app in apps if may_decide(recipient, app.approvers) and (app.approvers or app.name == home)
    )


def overview(
    apps: Sequence[App],
    recipient: str,
    incidents: Incidents,
    approvals: Approvals,
    link_to: Callable[[Approval], str],
) -> Overview:
    """Gather the list. `link_to` makes the address where an approval can be decided."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        found = pool.map(lambda app: incidents.recent(app.name, limit=_LOOKED_AT), apps)
        rows = sorted((row for rows in found for row in rows), key=lambda row: row.last_seen, reverse=True)
        asked = [row for row in rows if row.status is Status.AWAITING_APPROVAL and row.approval_id]
        questions = dict(
            zip(
                (row.incident_id for row in asked),
                pool.map(lambda row: approvals.get(row.approval_id), asked),
                strict=True,
            )
        )
    waiting: list[IncidentRow] = []
    under_way: list[IncidentRow] = []
    lately: list[IncidentRow] = []
    for row in rows:
        question = questions.get(row.incident_id)
        if question and _waits_for(question, recipient):
            waiting.append(IncidentRow(row, "Waits for your decision", link_to(question)))
        elif row.status in _UNDER_WAY:
            under_way.append(IncidentRow(row, _UNDER_WAY[row.status], _pull_request(row)))
        else:
            lately.append(IncidentRow(row, _OVER[row.status], _pull_request(row)))
    return Overview(tuple(waiting), tuple(under_way), tuple(lately[:_LATELY]))


def _waits_for(question: Approval, recipient: str) -> bool:
    return (
        question.status is ApprovalStatus.PENDING
        and question.expires_at > time.time()
        and may_decide(recipient, question.approvers)
        and question.first_person != person(recipient)
    )


def _pull_request(incident: Incident) -> str:
    return incident.pull_request_url if is_web(incident.pull_request_url) else ""
