"""Which questions are told of late, or are about to expire, and what their approvers are told."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from functions.core.approval import links
from functions.core.approval.announcement import Fix, Page, announce, moment
from functions.core.approval.approvals import Approval
from functions.core.approval.approvers import EVERYBODY, person, with_links
from functions.core.approval.links import Link
from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.notifications import About
from functions.core.notify.outbox import Outbox, tell_at
from functions.core.untrusted.inert import inert_line
from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.proposal import Proposal

# People are reminded when a quarter of the time that they had is left: of seven days, in the last two.
_SHARE_LEFT = 0.25
_WIDTH = 76


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """Any event → {"told": [incident ids], "reminded": [incident ids], "questions_waiting",
    "oldest_question_share", "digested"}."""
    apps, now = deployment.registry.apps(), time.time()
    outbox = Outbox(deployment.table("incidents_table"), deployment.notifications)
    waiting = remind(apps, deployment, now)
    return asdict(waiting) | {"digested": sum(outbox.digest(app, now) for app in apps)}


@dataclass(frozen=True, slots=True)
class Waiting:
    """The questions that nobody has decided."""

    told: tuple[str, ...]
    """Incidents of those that were asked within quiet hours, and that people were now told of."""
    reminded: tuple[str, ...]
    """Incidents of those that people were now reminded of."""
    questions_waiting: int
    oldest_question_share: int
    """Percent of its time that is over, of the question which has the least left; 0 where none waits."""


def remind(apps: Iterable[App], deployment: Deployment, now: float) -> Waiting:
    """Tell of every question that waited for the end of quiet hours, and remind of each whose time runs out,
    once; within quiet hours of neither, if there is time.

    Either is noted before it is sent: one that gets lost is better than one every hour.
    """
    told, reminded, shares = [], [], []
    approvals = deployment.approvals
    for app in apps:
        for incident in deployment.incidents.with_status(app.name, Status.AWAITING_APPROVAL):
            approval = approvals.get(incident.approval_id)
            if not approval:
                continue
            share = _share_over(approval, now)
            shares.append(share)
            if share == 1 or tell_at(app, now, approval.expires_at):
                continue
            if approval.tell_at and not approval.told_at:
                if approvals.tell(approval.approval_id):
                    _tell(approval, incident, app, deployment, _QUESTION)
                    told.append(incident.incident_id)
            elif share >= 1 - _SHARE_LEFT and approvals.remind(approval.approval_id):
                _tell(approval, incident, app, deployment, _REMINDER)
                reminded.append(incident.incident_id)
    return Waiting(tuple(told), tuple(reminded), len(shares), round(100 * max(shares, default=0)))


def _share_over(approval: Approval, now: float) -> float:
    """How much of the time that people had is over: 0 just now, 1 at the end and after."""
    asked = datetime.fromisoformat(approval.created_at).timestamp()
    return min(1.0, (now - asked) / (approval.expires_at - asked))


@dataclass(frozen=True, slots=True)
class _Words:
    """What distinguishes the two messages; formatted with `app`, `until` and `title`."""

    kind: str
    subject: str
    text: str
    headline: str


_QUESTION = _Words(
    "question",
    "[{app}] Approve a fix? {title}",
    "A fix for {app} waits for a decision, until {until}. It was proposed within your quiet hours.",
    "{app}: approve a fix? {title}",
)
_REMINDER = _Words(
    "reminder",
    "[{app}] Decide until {until}: {title}",
    "A fix for {app} still waits for a decision, until {until}.",
    "{app}: still waits for a decision: {title}",
)


def _tell(approval: Approval, incident: Incident, app: App, deployment: Deployment, words: _Words) -> None:
    until = moment(approval.expires_at, approval.time_zone)
    filled = {"app": incident.app, "until": until, "title": incident.title}
    _tell_people(approval, incident, deployment, words, filled)
    headline = words.headline.format(**filled)
    _tell_channels(approval, incident, app, deployment, headline)


def _tell_people(
    approval: Approval,
    incident: Incident,
    deployment: Deployment,
    words: _Words,
    filled: dict[str, str],
) -> None:
    recipients = with_links(approval.approvers) if approval.approvers else (EVERYBODY,)
    for recipient in recipients:
        if person(recipient) == approval.first_person:
            continue
        link = Link(approval.approval_id, recipient, approval.expires_at)
        text = [
            textwrap.fill(words.text.format(**filled), _WIDTH),
            textwrap.fill(inert_line(incident.title), _WIDTH),
            "",
            "Read the evidence and decide:",
            links.url(deployment.page, link, deployment.link_keys.all()[0]),
            "",
            textwrap.fill("After that the heal times out; a redrive asks again.", _WIDTH),
            "",
            f"Incident {incident.incident_id}",
        ]
        about = About.incident(incident, words.kind)
        deployment.notifications.send(
            words.subject.format(**filled), "\n".join(text) + "\n", recipient, about
        )


def _tell_channels(
    approval: Approval, incident: Incident, app: App, deployment: Deployment, headline: str
) -> None:
    proposal = Proposal.from_json(deployment.artifacts.get_json(approval.proposal_key))
    post = announce(
        approval,
        incident,
        Fix(redact(proposal.title), redact(proposal.root_cause), proposal.confidence),
        Evidence.from_json(deployment.artifacts.get_json(approval.evidence_key)),
        app=app,
        patch=deployment.artifacts.get(approval.patch_key),
        page=Page(deployment.page, deployment.link_keys.all()[0], deployment.console),
        headline=headline,
    )
    deployment.webhooks.post(incident.app, post)
