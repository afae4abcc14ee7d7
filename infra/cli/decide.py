"""Commands that decide: `approve`, `reject`, `revise`. The caller's AWS identity is who decided."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.rule import Rule

from functions.core.approvals import Approval, Verdict
from functions.core.decisions import (
    REJECT_REASONS,
    Answer,
    Decision,
    DecisionInvalid,
    Decisions,
    Standing,
)
from functions.core.task_tokens import TaskTokens
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_json
from infra.cli.options import AsJson, IncidentId, Local
from infra.cli.report import gather, render
from infra.errors import UserError
from infra.target import Target

Comment = Annotated[str, typer.Option("--comment", "-m", help="What you want to say about it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not show and ask; decide.")]


def approve(
    incident_id: IncidentId,
    comment: Comment = "",
    yes: Yes = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Approve the patch that waits: exactly these bytes, on exactly this base."""
    _decide(incident_id, Verdict.APPROVE, comment, "", yes, local, as_json)


def reject(
    incident_id: IncidentId,
    reason: Annotated[str, typer.Option(help=f"One of: {', '.join(REJECT_REASONS)}.")],
    comment: Comment = "",
    yes: Yes = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Reject the patch that waits; the heal ends."""
    _decide(incident_id, Verdict.REJECT, comment, reason, yes, local, as_json)


def revise(
    incident_id: IncidentId,
    comment: Annotated[str, typer.Option("--comment", "-m", help="What should change; the model reads it.")],
    yes: Yes = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Ask for changes: the next proposal works from your comment."""
    _decide(incident_id, Verdict.REVISE, comment, "", yes, local, as_json)


def _decide(
    incident_id: str, verdict: Verdict, comment: str, reason: str, yes: bool, local: bool, as_json: bool
) -> None:
    target = connect(local)
    incident = target.incident(incident_id)
    if not incident.approval_id:
        raise UserError(
            f"{incident.incident_id} waits for no approval: its status is {incident.status}",
            f"see: selfheal show {incident.incident_id}{target.flag}",
        )
    if not yes and not as_json:
        out.print(render(gather(target, incident)))
        out.print(Rule())
        typer.confirm(f"{verdict.capitalize()} patch {incident.patch_sha256[:12]}?", abort=True)
    answer = decide(
        target, incident.approval_id, Decision(verdict, identity(target), comment, reason, via="iam")
    )
    _tell(answer, verdict, as_json, f"selfheal history {incident.incident_id}{target.flag}")


def decide(target: Target, approval_id: str, decision: Decision) -> Answer:
    """Record and deliver a decision with the caller's own rights. Raises UserError for an incomplete one."""
    session = target.session
    decisions = Decisions(
        target.approvals, target.incidents, TaskTokens(session.client("kms")), session.client("stepfunctions")
    )
    try:
        return decisions.decide(approval_id, decision)
    except DecisionInvalid as error:
        raise UserError(str(error), exit_code=2) from error


def identity(target: Target) -> str:
    """The caller's ARN, as AWS knows it."""
    return str(target.session.client("sts").get_caller_identity()["Arn"])


def _tell(answer: Answer, verdict: Verdict, as_json: bool, follow: str) -> None:
    audit = answer.approval.audit() if answer.approval else None
    if as_json:
        print_json({"standing": str(answer.standing), "approval": audit})
    if answer.standing is Standing.ENDORSED and answer.approval:
        if not as_json:
            out.print(plain(f"Recorded: first approval, by {answer.approval.first_by}", "green"))
            out.print(plain("Another person must approve as well."))
        return
    if answer.standing is Standing.ACCEPTED:
        if not as_json:
            out.print(
                plain(
                    f"Recorded: {verdict} by {answer.approval.deciders if answer.approval else ''}", "green"
                )
            )
            out.print(plain(f"Follow it with: {follow}"))
        return
    raise UserError(_why_not(answer.standing, answer.approval), f"see: {follow}")


def _why_not(standing: Standing, approval: Approval | None) -> str:
    if standing is Standing.NOT_ALLOWED and approval:
        return f"you are not among the approvers of {approval.app}: {', '.join(approval.approvers)}"
    if standing is Standing.ALREADY_DECIDED and approval:
        return f"already decided: {approval.decision} by {approval.deciders} at {approval.decided_at}"
    return {
        Standing.EXPIRED: "the approval has expired: nobody waits for it any more",
        Standing.SUPERSEDED: "a newer proposal has taken this one's place: look at it first",
    }.get(standing, "the approval no longer exists")
