"""Which questions are told of late, or are about to expire, and what their approvers are told."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from functions.core.approval import links
from functions.core.approval.announcement import Fix, Page, announce, moment
from functions.core.approval.approvals import Approval
from functions.core.approval.approvers import EVERYBODY, may_decide, person, with_links
from functions.core.approval.identity import LINK
from functions.core.approval.letter import compose
from functions.core.approval.links import Link
from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.notifications import About
from functions.core.notify.outbox import tell_at
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
    waiting = remind(apps, deployment, now)
    return asdict(waiting) | {"digested": sum(deployment.outbox.digest(app, now) for app in apps)}


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
                    _ask(_case(approval, incident, app, deployment))
                    told.append(incident.incident_id)
            elif share >= 1 - _SHARE_LEFT and approvals.remind(approval.approval_id):
                _remind(_case(approval, incident, app, deployment))
                reminded.append(incident.incident_id)
    return Waiting(tuple(told), tuple(reminded), len(shares), round(100 * max(shares, default=0)))


def _share_over(approval: Approval, now: float) -> float:
    """How much of the time that people had is over: 0 just now, 1 at the end and after."""
    asked = datetime.fromisoformat(approval.created_at).timestamp()
    return min(1.0, (now - asked) / (approval.expires_at - asked))


@dataclass(frozen=True, slots=True)
class _Case:
    """All that messages about a question are made of."""

    approval: Approval
    incident: Incident
    app: App
    fix: Fix
    evidence: Evidence
    patch: bytes
    deployment: Deployment

    @property
    def until(self) -> str:
        return moment(self.approval.expires_at, self.approval.time_zone)

    def recipients(self) -> Iterator[tuple[str, str]]:
        """Who is written to, and their link, "" for a team of which nobody may decide by one."""
        key = self.deployment.link_keys.all()[0]
        for recipient in with_links(self.approval.approvers) or (EVERYBODY,):
            if person(recipient) == self.approval.first_person:
                continue
            link = Link(self.approval.approval_id, recipient, self.approval.expires_at)
            usable = may_decide(recipient, self.approval.approvers)
            yield recipient, links.url(self.deployment.page, link, key) if usable else ""

    def tell_channels(self, headline: str) -> None:
        """In the app's channels."""
        page = Page(self.deployment.page, self.deployment.link_keys.all()[0], self.deployment.console)
        post = announce(
            self.approval,
            self.incident,
            self.fix,
            self.evidence,
            app=self.app,
            patch=self.patch,
            page=page,
            headline=headline,
        )
        self.deployment.webhooks.post(self.incident.app, post)


def _case(approval: Approval, incident: Incident, app: App, deployment: Deployment) -> _Case:
    proposal = Proposal.from_json(deployment.artifacts.get_json(approval.proposal_key))
    return _Case(
        approval,
        incident,
        app,
        Fix(redact(proposal.title), redact(proposal.root_cause), proposal.confidence),
        Evidence.from_json(deployment.artifacts.get_json(approval.evidence_key)),
        deployment.artifacts.get(approval.patch_key),
        deployment,
    )


def _ask(case: _Case) -> None:
    """What would have been sent at once, had it not been within quiet hours."""
    incident, deployment = case.incident, case.deployment
    for recipient, link in case.recipients():
        message = compose(
            incident,
            case.fix,
            case.evidence,
            link=link,
            recipient=recipient,
            approval=case.approval,
            patch=redact(case.patch.decode(errors="backslashreplace")),
            place=_place(incident),
            signed_in=deployment.identity_from != LINK,
            commands=deployment.commands,
        )
        about = About.incident(incident, "question")
        deployment.notifications.send(message.subject, message.text, recipient, about, verbatim=True)
    case.tell_channels(f"{incident.app}: approve a fix? {incident.title}")


def _place(incident: Incident) -> str:
    own = [frame for frame in incident.frames if frame.in_app]
    return f"{own[-1].file}:{own[-1].line}" if own else ""


def _remind(case: _Case) -> None:
    incident = case.incident
    for recipient, link in case.recipients():
        read = ["Read the evidence and decide:", link, ""] if link else []
        waits = f"A fix for {incident.app} still waits for a decision, until {case.until}."
        text = [
            textwrap.fill(waits, _WIDTH),
            textwrap.fill(inert_line(incident.title), _WIDTH),
            "",
            *read,
            textwrap.fill("After that the heal times out; a redrive asks again.", _WIDTH),
            "",
            f"Incident {incident.incident_id}",
            f"Without the page: selfheal approve {incident.incident_id}",
        ]
        case.deployment.notifications.send(
            f"[{incident.app}] Decide until {case.until}: {incident.title}",
            "\n".join(text) + "\n",
            recipient,
            About.incident(incident, "reminder"),
        )
    case.tell_channels(f"{incident.app}: still waits for a decision: {incident.title}")
