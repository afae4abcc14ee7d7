"""What comes next for an incident: for every status, the commands that go on from it, ready to paste."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.core.approval.decisions import REJECT_REASONS
from functions.core.apps.modes import OBSERVES, Mode
from functions.core.aws.names import entry_of
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.times import said_of
from functions.core.workflow.tracking import next_look
from functions.report_failure.failure import STOPPED_BEFORE
from functions.track_pull_requests.deployment import DRAIN

_REASONS = ", ".join(REJECT_REASONS)


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something to do. command: to be pasted as it is; "" where it is not done with a command."""

    why: str
    command: str = ""


def next_steps(
    incident: Incident,
    flag: str = "",
    now: datetime | None = None,
    *,
    approvers: Sequence[str] = (),
    registered: bool = True,
) -> tuple[NextStep, ...]:
    """What can be done about an incident now, the most useful first. flag: what a command needs to act on the
    same target again (`Target.flag`); approvers: who alone may decide what is asked, empty for whoever is
    asked; registered: whether its app has an entry, without which no heal starts."""
    at = now or datetime.now(UTC)
    if incident.status is Status.MERGED and not incident.fix_runs_since and "--local" in flag:
        # Nobody else deploys there, and its revision is not to be claimed.
        here = f"selfheal local deploy {incident.app}"
        return (
            NextStep(
                f"deploy the fix; until that is noticed, by {_looked_by()}, the error only counts", here
            ),
        )
    if incident.status is Status.FAILED and incident.is_over_for_good(at.isoformat()):
        steps = _lapsed(incident)
    else:
        steps = _STEPS[incident.status](incident)
    if incident.status is Status.AWAITING_APPROVAL and approvers:
        steps = (NextStep(f"to decide is for {' or '.join(approvers)} alone"), *steps)
    if not registered and any(step.command.startswith("selfheal retry ") for step in steps):
        register = f"selfheal configure {entry_of(incident.app)}"
        again = NextStep("then start over", f"selfheal retry {incident.incident_id}")
        steps = (NextStep("register its app, which was removed", register), again)
    return tuple(NextStep(step.why, step.command and step.command + flag) for step in steps)


def _new(incident: Incident) -> tuple[NextStep, ...]:
    return (
        NextStep(
            "its heal starts within seconds, or waits for its turn where as many run as may; watch it",
            f"selfheal history {incident.incident_id} --follow",
        ),
        NextStep("if it does not start", "selfheal requeue"),
    )


def _healing(incident: Incident) -> tuple[NextStep, ...]:
    return (NextStep("watch the heal", f"selfheal history {incident.incident_id} --follow"),)


def _awaiting(incident: Incident) -> tuple[NextStep, ...]:
    name = incident.incident_id
    return (
        NextStep("approve this patch, and wait for the pull request", f"selfheal approve {name} --wait"),
        NextStep("ask for something else", f"selfheal revise {name} --comment 'what should change'"),
        NextStep(f"end the heal; REASON is one of {_REASONS}", f"selfheal reject {name} --reason REASON"),
    )


def _pull_request(incident: Incident) -> tuple[NextStep, ...]:
    return (
        NextStep(f"review and merge it: {incident.pull_request_url}"),
        NextStep(f"that is noticed when the forge tells of it, and else by {_looked_by()}"),
    )


def _looked_by() -> str:
    """When pull requests and deployments have been looked at again."""
    return f"{next_look(datetime.now(UTC)):%H:%M} UTC"


def _merged(incident: Incident) -> tuple[NextStep, ...]:
    if incident.fix_runs_since:
        ended = datetime.fromisoformat(incident.fix_runs_since) + DRAIN
        if datetime.fromisoformat(incident.last_seen) > ended:
            return (NextStep(f"nothing: it came back with its fix; by {_looked_by()} another heal starts"),)
        again = f"seen again after {ended:%H:%M} UTC, when what ran before has ended, another heal starts"
        hours = f"selfheal configure {incident.app} --set gone_after_hours=24"
        return (
            NextStep(f"nothing: it is resolved once it has stayed away for its app's hours; {again}"),
            NextStep("to say how many hours that is (24 where nobody said)", hours),
        )
    return (
        NextStep(f"deploy the fix; until that is noticed, by {_looked_by()}, the error only counts"),
        NextStep(
            "where nothing tells what is deployed, say so",
            f"selfheal configure {incident.app} --set revision={incident.merge_sha or 'COMMIT'}",
        ),
    )


def _resolved(incident: Incident) -> tuple[NextStep, ...]:
    return (NextStep("nothing: if it comes back, another heal starts"),)


def _over(incident: Incident) -> tuple[NextStep, ...]:
    name = incident.incident_id
    steps = [NextStep("start over, once something has changed", f"selfheal retry {name}")]
    if incident.attempts and incident.execution_arn:
        steps.append(NextStep("see what the model was asked", f"selfheal prompt {name}"))
    return tuple(steps)


def _failed(incident: Incident) -> tuple[NextStep, ...]:
    name = incident.incident_id
    if incident.reason.startswith(STOPPED_BEFORE):
        return (NextStep("let healing go on, which resumes this heal where it was", "selfheal start"),)
    until = f", until {said_of(incident.redrivable_until)}" if incident.redrivable_until else ""
    return (
        NextStep("see where and why", f"selfheal history {name}"),
        NextStep(
            "see what is wrong with its app, and the command that mends it", f"selfheal doctor {incident.app}"
        ),
        NextStep(f"mend the cause, then go on from there{until}", f"selfheal redrive {name}"),
        NextStep("or start over from the beginning", f"selfheal retry {name}"),
    )


def _lapsed(incident: Incident) -> tuple[NextStep, ...]:
    """A failed heal that can no longer go on."""
    return (
        NextStep(
            "start another heal; so does its next occurrence: this one can no longer be redriven",
            f"selfheal retry {incident.incident_id}",
        ),
    )


def _suppressed(incident: Incident) -> tuple[NextStep, ...]:
    if OBSERVES in incident.reason:
        return _in_a_lower_mode(Mode.DIAGNOSE)(incident)
    return (NextStep("heal it all the same", f"selfheal retry {incident.incident_id}"),)


def _joined(incident: Incident) -> tuple[NextStep, ...]:
    return (
        NextStep(
            "nothing here: look at the one that it is healed with",
            f"selfheal show {incident.joined_to or incident.incident_id}",
        ),
    )


def _in_a_lower_mode(mode: Mode) -> Callable[[Incident], tuple[NextStep, ...]]:
    def steps(incident: Incident) -> tuple[NextStep, ...]:
        return (
            NextStep(
                "let heals of this app go further", f"selfheal configure {incident.app} --set mode={mode}"
            ),
            NextStep("then start over", f"selfheal retry {incident.incident_id}"),
        )

    return steps


_STEPS: dict[Status, Callable[[Incident], tuple[NextStep, ...]]] = {
    Status.NEW: _new,
    Status.HEALING: _healing,
    Status.AWAITING_APPROVAL: _awaiting,
    Status.PR_OPEN: _pull_request,
    Status.MERGED: _merged,
    Status.RESOLVED: _resolved,
    Status.ABSTAINED: _over,
    Status.REJECTED: _over,
    Status.FAILED: _failed,
    Status.SUPPRESSED: _suppressed,
    Status.DIAGNOSED: _in_a_lower_mode(Mode.PROPOSE),
    Status.PROPOSED: _in_a_lower_mode(Mode.PULL_REQUEST),
    Status.JOINED: _joined,
}
