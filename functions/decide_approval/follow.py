"""What happens after a decision, as far as the incident tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.core.approval.approvals import Approval, ApprovalStatus, Verdict
from functions.core.approval.approvers import person
from functions.core.approval.decisions import REJECT_REASONS
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.history import Visit
from functions.core.workflow.tracking import next_look

# The page follows closely while things usually happen, then patiently, then no more: a forgotten tab must
# not poll for ever. Seconds.
_CLOSELY, _PATIENTLY = 60, 1_800

DECIDED = {
    Verdict.APPROVE: "You approved the patch",
    Verdict.REVISE: "You asked for changes",
    Verdict.REJECT: "You rejected the patch",
}
_BY_ANOTHER = {
    Verdict.APPROVE: "The patch was approved",
    Verdict.REVISE: "Changes were asked for",
    Verdict.REJECT: "The patch was rejected",
}


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """One line of the progress list. state: done, now, later, failed; looked_by: until when it is looked
    again (ISO 8601), "" where it is told of at once; asks: whether it is a question, which the reader's list
    leads to."""

    text: str
    state: str
    url: str = ""
    looked_by: str = ""
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """The page's content. `refresh_seconds` is 0 when nothing more will happen here."""

    title: str
    detail: str
    steps: tuple[ProgressLine, ...]
    refresh_seconds: int
    now: datetime
    visits: tuple[Visit, ...] = ()
    """Of the workflow's states, as far as it has come."""
    zone: str = ""
    problem: str = ""
    next_action: str = ""


def progress(
    approval: Approval,
    incident: Incident,
    now: datetime,
    visits: Sequence[Visit] = (),
    newer: Approval | None = None,
    reader: str = "",
) -> Progress:
    """Progress of a decided approval. `incident` may be further, failed, or asking again: `newer`.

    reader: whose link it is, "" for whoever decided."""
    verdict = Verdict(approval.decision)
    steps, settled = _steps(verdict, approval, incident, now, newer)
    failed = approval.status is ApprovalStatus.EXPIRED or incident.status is Status.FAILED
    problem = next_action = ""
    if approval.status is ApprovalStatus.EXPIRED:
        problem = "The decision came too late: the workflow no longer waited for it."
    elif failed:
        problem, next_action = incident.reason, incident.next_action
    if failed:
        steps = tuple(ProgressLine(s.text, "failed" if s.state == "now" else s.state, s.url) for s in steps)
    by_another = bool(reader) and person(reader) not in map(person, (approval.by, approval.first_by))
    under_way = any(visit.outcome == "running" for visit in visits)
    age = (now - datetime.fromisoformat(approval.decided_at)).total_seconds()
    refresh = 2 if age < _CLOSELY else 10 if age < _PATIENTLY else 0
    return Progress(
        title=(_BY_ANOTHER if by_another else DECIDED)[verdict],
        detail=" · ".join(filter(None, (f"by {approval.deciders}" if by_another else "", _detail(approval)))),
        steps=steps,
        refresh_seconds=0 if failed or (settled and not under_way) else refresh,
        now=now,
        visits=tuple(visit for visit in visits if visit.kind == "Task"),
        zone=approval.time_zone,
        problem=problem,
        next_action=next_action,
    )


def _steps(
    verdict: Verdict, approval: Approval, incident: Incident, now: datetime, asked: Approval | None
) -> tuple[tuple[ProgressLine, ...], bool]:
    told = ProgressLine(
        "The workflow has the decision", "now" if approval.status is ApprovalStatus.DECIDED else "done"
    )
    newer = incident.approval_id != approval.approval_id
    if verdict is Verdict.APPROVE and newer and incident.status is Status.AWAITING_APPROVAL:
        again = "It had to be proven, or asked, again: another question waits"
        return (told, ProgressLine(again, "done", asks=True)), True
    if verdict is Verdict.APPROVE:
        merge = _merge(incident, now)
        is_open = merge.state != "later"
        pushed = is_open or bool(incident.branch)
        return (
            told,
            ProgressLine("The approved bytes are committed to a branch", "done" if pushed else "now"),
            ProgressLine(
                "The pull request is open",
                "done" if is_open else "now" if pushed else "later",
                incident.pull_request_url if is_open and is_web(incident.pull_request_url) else "",
            ),
            merge,
        ), merge.state in ("done", "failed")
    if verdict is Verdict.REVISE:
        return (told, *_revised(incident, newer, asked)), newer or incident.status is Status.ABSTAINED
    over = incident.status is Status.REJECTED
    return (told, ProgressLine("The heal is closed, nothing was pushed", "done" if over else "now")), over


def _revised(incident: Incident, newer: bool, asked: Approval | None) -> tuple[ProgressLine, ProgressLine]:
    """What came of a comment."""
    worked = "The model works on your comment, the sandbox proves the result"
    if incident.status is Status.ABSTAINED:
        return ProgressLine(worked, "now"), ProgressLine("No proposal could be proven", "failed")
    waits = incident.status is Status.AWAITING_APPROVAL
    if newer and asked is not None and asked.standing:
        why = f"Nothing better could be proven: {asked.standing}"
        return ProgressLine(why, "failed"), ProgressLine(
            "The patch from before waits again", "done", asks=waits
        )
    state = "done" if newer else "later"
    done = ProgressLine(worked, "done" if newer else "now")
    return done, ProgressLine("A question waits", state, asks=newer and waits)


def _merge(incident: Incident, now: datetime) -> ProgressLine:
    """What people at the forge have made of the pull request."""
    match incident.status:
        case Status.PR_OPEN:
            return ProgressLine("A reviewer merges it", "now", looked_by=next_look(now).isoformat())
        case Status.MERGED | Status.RESOLVED:
            return ProgressLine("It is merged", "done")
        case Status.REJECTED:
            return ProgressLine("It was closed without merging", "failed")
        case _:
            return ProgressLine("A reviewer merges it", "later")


def is_web(address: str) -> bool:
    """Whether a browser may be sent there: the address is what the forge answered."""
    return address.startswith(("https://", "http://"))


def _detail(approval: Approval) -> str:
    return " · ".join(part for part in (REJECT_REASONS.get(approval.reason, ""), approval.comment) if part)
