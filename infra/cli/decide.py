"""Commands that decide: `approve`, `reject`, `revise`. The caller's AWS identity is who decided."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.rule import Rule

from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.decisions import REJECT_REASONS, Answer, Standing
from functions.core.approval.orders import Order
from functions.core.incidents.incident import Incident, Status
from infra.cli.connect import connect
from infra.cli.console import command, confirm, hint, out, plain, print_document
from infra.cli.follow import following
from infra.cli.options import AsJson, IncidentId, Local
from infra.cli.report import NOTHING_BETTER, gather, render
from infra.deciding import decide
from infra.errors import Exit, UserError
from infra.nearest import unknown
from infra.target import Target

Comment = Annotated[str, typer.Option("--comment", "-m", help="What you want to say about it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not show and ask; decide.")]
Wait = Annotated[
    bool, typer.Option("--wait", "-w", help="Wait for what comes of it: exit code 0 if it is what was meant.")
]


def approve(
    incident_id: IncidentId,
    comment: Comment = "",
    yes: Yes = False,
    wait: Wait = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Approve the patch that waits: exactly these bytes, on exactly this base."""
    _decide(incident_id, Verdict.APPROVE, comment, "", yes, wait, local, as_json)


def reject(
    incident_id: IncidentId,
    reason: Annotated[str, typer.Option(help=f"One of: {', '.join(REJECT_REASONS)}.")],
    comment: Comment = "",
    yes: Yes = False,
    wait: Wait = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Reject the patch that waits; the heal ends."""
    if reason not in REJECT_REASONS:
        raise unknown("reason", reason, REJECT_REASONS, f"choose one of: {', '.join(REJECT_REASONS)}")
    if reason == "other" and not comment.strip():
        raise UserError(
            "--reason other says nothing by itself", "say why: --comment TEXT", exit_code=Exit.USAGE
        )
    _decide(incident_id, Verdict.REJECT, comment, reason, yes, wait, local, as_json)


def revise(
    incident_id: IncidentId,
    comment: Annotated[str, typer.Option("--comment", "-m", help="What should change; the model reads it.")],
    yes: Yes = False,
    wait: Wait = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Ask for changes: the next proposal works from your comment."""
    _decide(incident_id, Verdict.REVISE, comment, "", yes, wait, local, as_json)


_MEANT = {
    Verdict.APPROVE: Status.PR_OPEN,
    Verdict.REJECT: Status.REJECTED,
    Verdict.REVISE: Status.AWAITING_APPROVAL,
}
"""Where an incident stands once a decision has come to what was meant by it."""


_ASKS_AGAIN = "asks again: nothing was committed, because the branch has changed what the patch touches"


def _decide(
    incident_id: str,
    verdict: Verdict,
    comment: str,
    reason: str,
    yes: bool,
    wait: bool,
    local: bool,
    as_json: bool,
) -> None:
    target = connect(local)
    incident = target.incident(incident_id)
    if not incident.approval_id or incident.status is Status.NEW:
        raise UserError(
            f"{incident.incident_id} waits for no approval: its status is {incident.status}",
            f"see what comes next: selfheal show {incident.incident_id}{target.flag}",
        )
    if not yes and not as_json:
        out.print(render(gather(target, incident)))
        out.print(Rule())
        confirm(f"{verdict.capitalize()} patch {incident.patch_sha256[:12]}?")
    answer = decide(target, Order(incident.approval_id, incident.patch_sha256, verdict, comment, reason))
    follow = f"selfheal history {incident.incident_id}{target.flag} --follow"
    _tell(answer, verdict, as_json and not wait, wait or as_json, follow, target.flag)
    if wait and answer.standing is Standing.ACCEPTED:
        _wait(target, incident, verdict, answer, as_json)


def _wait(target: Target, asked: Incident, verdict: Verdict, answer: Answer, as_json: bool) -> None:
    """Until the decision has led to something. Raises UserError if that is not what was meant by it."""

    def settled(now: Incident) -> bool:
        return not now.status.goes_on or (
            now.status is Status.AWAITING_APPROVAL and now.approval_id != asked.approval_id
        )

    incident = following(target, asked, settled, quiet=as_json)
    if as_json:
        _print(answer, incident)
    elif incident.pull_request_url and incident.status is Status.PR_OPEN:
        out.print(plain(f"pull request: {incident.pull_request_url}", "green"), soft_wrap=True)
    look = f"selfheal show {incident.incident_id}{target.flag}"
    if incident.status is not _MEANT[verdict]:
        asks = incident.status is Status.AWAITING_APPROVAL
        why = _ASKS_AGAIN if asks else f"is {incident.status}: {incident.reason}"
        raise UserError(f"{incident.incident_id} {why}", f"see what comes next: {look}")
    if verdict is Verdict.REVISE and not as_json:
        question = target.approvals.get(incident.approval_id)
        if question and question.standing:
            out.print(plain(f"{NOTHING_BETTER}: {question.standing}", "yellow"))
        hint(f"It asks again: {look}")


def _print(answer: Answer, incident: Incident | None = None) -> None:
    document: dict[str, Any] = {
        "standing": str(answer.standing),
        "approval": answer.approval.audit() if answer.approval else None,
    }
    if incident:
        document["incident"] = incident.to_json()
    print_document("decision/1", document)


def identity(target: Target) -> str:
    """The caller's ARN, as AWS knows it."""
    return str(target.session.client("sts").get_caller_identity()["Arn"])


def _tell(answer: Answer, verdict: Verdict, as_json: bool, brief: bool, follow: str, flag: str) -> None:
    """Say what became of a decision; brief: without what to do next. Raises UserError for one in vain."""
    if as_json:
        _print(answer)
    by = answer.approval.deciders if answer.approval else ""
    if answer.standing is Standing.ENDORSED and answer.approval:
        lines = [
            f"Recorded: first approval, by {answer.approval.first_by}",
            "Another person must approve as well.",
        ]
    elif answer.standing is Standing.ACCEPTED:
        lines = [f"Recorded: {verdict} by {by}", *([] if brief else [command(f"Follow it with: {follow}")])]
    else:
        then = f"see: {follow}"
        if answer.standing is Standing.NOT_ALLOWED and answer.approval:
            then = _asked_anew(answer.approval, flag)
        raise UserError(_why_not(answer.standing, answer.approval), then)
    if not as_json:
        out.print(plain(lines[0], "green"))
        for line in lines[1:]:
            out.print(plain(line))


def _asked_anew(approval: Approval, flag: str) -> str:
    """How a question comes before those whom the app's entry names now: this one stays with whom it was put
    to, also where its heal is redriven."""
    name, until = approval.incident_id, datetime.fromtimestamp(approval.expires_at, UTC)
    change = f"selfheal revise {name} --comment 'what should change'{flag}"
    return (
        f"one of them decides, or has it asked anew: {change}; or, once it has lapsed at"
        f" {until:%Y-%m-%dT%H:%M} UTC, another heal asks whom the entry names then:"
        f" selfheal retry {name}{flag}"
    )


def _why_not(standing: Standing, approval: Approval | None) -> str:
    if standing is Standing.NOT_ALLOWED and approval:
        return f"this question went to {', '.join(approval.approvers)}, and you are none of them"
    if standing is Standing.ALREADY_DECIDED and approval:
        return f"already decided: {approval.decision} by {approval.deciders} at {approval.decided_at}"
    return {
        Standing.EXPIRED: "the approval has expired: nobody waits for it any more",
        Standing.SUPERSEDED: "a newer proposal has taken this one's place: look at it first",
    }.get(standing, "the approval no longer exists")
