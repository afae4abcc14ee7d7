"""What the people who may decide are told: enough to know whether to look now, and the link."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from functions.core.approval.announcement import CONFIDENCE, KEPT_HEADLINE, Fix, moment, shortened, times
from functions.core.approval.approvals import Approval
from functions.core.approval.approvers import EVERYBODY
from functions.core.incidents.incident import Incident
from functions.core.notify.commands import Commands
from functions.core.notify.counts import counted
from functions.core.untrusted.inert import inert, inert_line
from functions.core.workflow.evidence import Evidence

_WIDTH, _DIFF_LINES = 76, 80


@dataclass(frozen=True, slots=True)
class Message:
    """A notification: subject (cut to SNS's limit when sent) and plain text."""

    subject: str
    text: str


def compose(
    incident: Incident,
    fix: Fix,
    evidence: Evidence,
    *,
    link: str,
    recipient: str,
    approval: Approval,
    patch: str,
    place: str,
    signed_in: bool,
    commands: Commands,
) -> Message:
    """The request for approval, with the error's title, where it is, and the patch, never the log's text.

    `place` is empty where it is not known, `link` where nobody may decide by link; `signed_in`: whoever opens
    it signs in first.
    """
    subject = f"[{incident.app}] Approve a fix? {incident.title}"
    lines = [
        *(["It was proposed within your quiet hours.", ""] if approval.tell_at else []),
        *_again(approval),
        _wrap(f"{incident.app} fails with {inert_line(incident.title)}"),
        *([f"in {inert_line(place)}"] if place else []),
        _wrap(f"Seen {times(incident, approval.time_zone)}."),
        "",
        _wrap(f"Proposed fix: {inert_line(fix.title)}"),
        *([_wrap(f"Proposed by: {inert_line(fix.by)}")] if fix.by else []),
        _wrap(f"Cause: {shortened(fix.root_cause)}"),
        f"{CONFIDENCE}: {fix.confidence:.0%}",
        _proof(evidence),
        *([_wrap(f"Second opinion: {shortened(fix.second_opinion)}")] if fix.second_opinion else []),
        "",
        *_way_in(link, "" if signed_in else recipient, moment(approval.expires_at, approval.time_zone)),
        "",
        *_diff(patch),
        "",
        f"Incident {incident.incident_id}",
        f"Without the page: {commands.pasted(f'selfheal approve {incident.incident_id}')}",
    ]
    return Message(subject, "\n".join(lines) + "\n")


def _again(approval: Approval) -> list[str]:
    """Why there is another question about the same patch."""
    if approval.standing:
        why = inert_line(approval.standing).rstrip(".")
        return [_wrap(f"{KEPT_HEADLINE} {why}. You can still approve the patch that you know."), ""]
    if approval.redrive_count:
        return ["This was asked before; the earlier link no longer works.", ""]
    return []


def _diff(patch: str) -> list[str]:
    """The patch for reading: its characters spelled out, cut where a letter gets long."""
    lines = [line for line in inert(patch).splitlines() if not line.startswith(("diff --git ", "index "))]
    left = len(lines) - _DIFF_LINES
    return [*lines[:_DIFF_LINES], *([f"… {counted(left, 'more line')} on the page"] if left > 0 else [])]


def _proof(evidence: Evidence) -> str:
    warned = "".join(f"\n{_wrap(f'But: {inert_line(sentence)}')}" for sentence in evidence.warnings)
    asked = _listed(f"{evidence.proof}:", [question.said for question in evidence.questions])
    missing = _listed("NOT fully proven:", evidence.not_proven)
    told = "\n".join(filter(None, (asked, missing)))
    return f"{told or evidence.proof + '.'}{warned}"


def _listed(heading: str, sentences: Sequence[str]) -> str:
    """A heading and a list; "" without sentences."""
    lines = [
        textwrap.fill(inert_line(sentence), _WIDTH, initial_indent="  - ", subsequent_indent="    ")
        for sentence in sentences
    ]
    return "\n".join([heading, *lines]) if lines else ""


def _way_in(link: str, recipient: str, until: str) -> list[str]:
    if not link:
        where = "No approver has a mailbox: they decide in Slack or with the command below"
        return [_wrap(f"{where}, until {until}.")]
    return [
        "Read the evidence and decide:",
        link,
        "",
        _wrap(f"{_whose(recipient)} It works once, until {until}."),
    ]


def _whose(recipient: str) -> str:
    if not recipient:
        return "You sign in first, and what you decide is recorded as yours."
    if recipient == EVERYBODY:
        return "The link is for whoever reads this: name approvers in the app's entry to record who decided."
    return f"The link is yours alone: what is decided through it is recorded as {recipient}."


def _wrap(text: str) -> str:
    """Names and addresses stay whole: they are copied."""
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False)
