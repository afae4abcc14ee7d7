"""The question to approvers in words, for e-mails and channels: when it is asked, and as a reminder."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.core.approval import links
from functions.core.approval.approvals import Approval
from functions.core.approval.approvers import EVERYBODY, in_slack
from functions.core.approval.links import Link
from functions.core.apps.app import App
from functions.core.aws.console import Console
from functions.core.incidents.incident import Incident
from functions.core.notify import slack
from functions.core.notify.counts import counted
from functions.core.notify.times import said, said_of
from functions.core.notify.webhooks import Post
from functions.core.untrusted.inert import inert_line
from functions.core.workflow.evidence import Evidence

# Characters; whoever wants the rest opens the page.
_CAUSE_LIMIT = 500
KEPT_HEADLINE = "Nothing better could be proven:"
CONFIDENCE = "Confidence (the model's own)"


@dataclass(frozen=True, slots=True)
class Fix:
    """What the model proposes, in words that are redacted already; `confidence` is its own claim, 0 to 1.

    second_opinion: what another model thinks of it, "" where none was asked; by: the model that really
    answered, as it names itself.
    """

    title: str
    root_cause: str
    confidence: float
    second_opinion: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Where people decide: the page's base address, ending in `/`, and the key that signs links to it; and
    where they look further."""

    address: str
    key: bytes
    console: Console


def announce(
    approval: Approval,
    incident: Incident,
    fix: Fix,
    evidence: Evidence,
    *,
    app: App,
    patch: bytes,
    page: Page,
    headline: str,
) -> Post:
    """The question for the app's channels. Neither log text nor patch, whose files are only counted.

    A channel is nobody in particular: where approvers are named, their links are theirs alone.
    """
    anybody = links.url(page.address, Link(approval.approval_id, EVERYBODY, approval.expires_at), page.key)
    return Post(
        headline=headline,
        facts=(
            *(
                [("Asked again", f"{KEPT_HEADLINE} {shortened(approval.standing)}")]
                if approval.standing
                else []
            ),
            ("Seen", times(incident, app.time_zone)),
            ("Proposed fix", fix.title),
            ("Cause", shortened(fix.root_cause)),
            *([("Proposed by", fix.by)] if fix.by else []),
            (CONFIDENCE, f"{fix.confidence:.0%}"),
            ("Evidence", _proof(evidence)),
            *([("Second opinion", shortened(fix.second_opinion))] if fix.second_opinion else []),
            ("Decide until", moment(approval.expires_at, app.time_zone)),
        ),
        link=page.console.execution(approval.execution_arn) if approval.approvers else anybody,
        link_text="Watch it (the approvers have their links)"
        if approval.approvers
        else "Read the evidence and decide",
        buttons=slack.Buttons(
            ticket=slack.ticket(approval, page.key),
            patch_sha256=approval.patch_sha256,
            files=patch.count(b"\ndiff --git ") + patch.startswith(b"diff --git "),
            page="" if approval.approvers else anybody,
        )
        if app.slack_buttons and (not approval.approvers or in_slack(approval.approvers))
        else None,
    )


def times(incident: Incident, zone: str = "") -> str:
    """How often the error was seen, and since when, on the clock of `zone`."""
    since = said_of(incident.first_seen, zone) or "an unknown time"
    return (
        f"once, {since}"
        if incident.occurrences == 1
        else f"{counted(incident.occurrences, 'time')} since {since}"
    )


def moment(epoch: int, zone: str = "") -> str:
    """A time in epoch seconds, to the minute, on the clock of `zone`."""
    return said(datetime.fromtimestamp(epoch, UTC), zone)


def shortened(cause: str) -> str:
    """A cause, cut at a word."""
    return textwrap.shorten(inert_line(cause), _CAUSE_LIMIT)


def _proof(evidence: Evidence) -> str:
    warned = "".join(f" But: {sentence}" for sentence in evidence.warnings)
    asked = "".join(f"{inert_line(question.said)} " for question in evidence.questions)
    asked = f"To be judged by people: {asked}" if asked else ""
    if evidence.not_proven:
        return asked + "NOT fully proven: " + " ".join(f"- {s}" for s in evidence.not_proven) + warned
    return f"{asked or evidence.proof + '.'}{warned}"
