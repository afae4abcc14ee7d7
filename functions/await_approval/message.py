"""What the people who may decide are told: enough to know whether to look now, and the link."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.core.approvers import EVERYBODY
from functions.core.evidence import Evidence
from functions.core.incident import Incident
from functions.core.webhooks import Post

_WIDTH = 76
# Characters; whoever wants the rest opens the page.
_CAUSE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Message:
    """A notification: subject (cut to SNS's limit when sent) and plain text."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What the model proposes, in words that are redacted already; `confidence` is its own claim, 0 to 1."""

    title: str
    root_cause: str
    confidence: float


def compose(
    incident: Incident,
    fix: Fix,
    evidence: Evidence,
    *,
    link: str,
    recipient: str,
    expires_at: int,
    redriven: bool,
) -> Message:
    """The request for approval. It quotes the error's one-line title, never the log text or the patch.

    `link` is empty where nobody may decide by link.
    """
    subject = f"[{incident.app}] Approve a fix? {incident.title}"
    again = ["This was asked before; the earlier link no longer works.", ""] if redriven else []
    until = f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M}"
    lines = [
        *again,
        _wrap(f"{incident.app} fails with {_line(incident.title)}"),
        _wrap(f"Seen {_times(incident)}."),
        "",
        _wrap(f"Proposed fix: {_line(fix.title)}"),
        _wrap(f"Cause: {textwrap.shorten(_line(fix.root_cause), _CAUSE_LIMIT)}"),
        f"Confidence (the model's own): {fix.confidence:.0%}",
        _proof(evidence),
        "",
        *_way_in(link, recipient, until),
        "",
        f"Incident {incident.incident_id}",
        f"Without the page: selfheal approve {incident.incident_id}",
    ]
    return Message(subject, "\n".join(lines) + "\n")


def announce(incident: Incident, fix: Fix, evidence: Evidence, *, link: str, link_text: str) -> Post:
    """The same for a channel, in which nobody in particular reads."""
    return Post(
        headline=f"{incident.app}: approve a fix? {_line(incident.title)}",
        facts=(
            ("Seen", _times(incident)),
            ("Proposed fix", _line(fix.title)),
            ("Cause", textwrap.shorten(_line(fix.root_cause), _CAUSE_LIMIT)),
            ("Confidence (the model's own)", f"{fix.confidence:.0%}"),
            ("Evidence", " ".join(_proof(evidence).split())),
        ),
        link=link,
        link_text=link_text,
    )


def _proof(evidence: Evidence) -> str:
    if not evidence.not_proven:
        return f"Proven: all {len(evidence.gates)} checks ran and passed."
    missing = "\n".join(
        textwrap.fill(_line(sentence), _WIDTH, initial_indent="  - ", subsequent_indent="    ")
        for sentence in evidence.not_proven
    )
    return f"NOT fully proven:\n{missing}"


def _way_in(link: str, recipient: str, until: str) -> list[str]:
    if not link:
        return [_wrap(f"Only IAM identities may decide, with the command below, until {until} UTC.")]
    return [
        "Read the evidence and decide:",
        link,
        "",
        _wrap(f"{_whose(recipient)} It works once, until {until} UTC."),
    ]


def _whose(recipient: str) -> str:
    if recipient == EVERYBODY:
        return "The link is for whoever reads this: name approvers in the app's entry to record who decided."
    return f"The link is yours alone: what is decided through it is recorded as {recipient}."


def _times(incident: Incident) -> str:
    if incident.occurrences == 1:
        return f"once, {_minute(incident.first_seen)}"
    return f"{incident.occurrences:,} times since {_minute(incident.first_seen)}"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ") + " UTC" if moment else "an unknown time"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _wrap(text: str) -> str:
    return textwrap.fill(text, _WIDTH)
