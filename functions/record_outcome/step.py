"""Writes the outcome once, and tells the team and its channels once."""

from __future__ import annotations

import time

from functions.core.approval.approvals import Verdict
from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.aws.telemetry import count
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.notifications import About
from functions.core.workflow.errors import AppInvalid, AppNotRegistered, ApprovalMismatch
from functions.core.workflow.state import HealState, OutcomeState
from functions.record_outcome.outcome import Ending, Outcome, abstained_for, announce, determine, stages, tell

_MAY_WAIT = (Ending.ABSTAINED, Ending.DIAGNOSED, Ending.PROPOSED, Ending.ALREADY_FIXED)


def run(state: HealState, deployment: Deployment) -> OutcomeState:
    """A repeated run writes and tells nothing: what has happened since (a merged pull request, say) stays.

    Raises ApprovalMismatch for a rejection that is on no record, where the app says who decides.
    """
    outcome = determine(state)
    if outcome.ending is Ending.REJECTED and not state.callback_decides:
        _check_rejection(state, deployment)
    before = deployment.incidents.get(state.incident_id)
    under_way = before.status in (Status.HEALING, Status.AWAITING_APPROVAL, Status.FAILED)
    if under_way:
        app = _whose_may_wait(outcome, before, deployment)
        incident = deployment.incidents.advance(state.incident_id, state.execution_arn, **outcome.attributes)
        if incident is not None:
            about = About.incident(incident, "outcome")
            if app is None:
                deployment.notifications.send(*tell(incident, outcome), about=about)
            else:
                deployment.outbox.tell(app, incident, *tell(incident, outcome), time.time(), about.kind)
            deployment.webhooks.post(incident.app, announce(incident, outcome, state, deployment.console))
            _count(state, incident, outcome)
    return outcome.to_state(state.incident_id)


def _whose_may_wait(outcome: Outcome, incident: Incident, deployment: Deployment) -> App | None:
    """The app, where its people are told of this when they like: nobody has just decided, and none waits on a
    pull request. None, too, where it is registered no more."""
    if outcome.ending not in _MAY_WAIT or outcome.open_still:
        return None
    try:
        return deployment.registry.app(incident.app)
    except (AppNotRegistered, AppInvalid):
        return None


def _check_rejection(state: HealState, deployment: Deployment) -> None:
    """Whoever can answer the task could end what the log says of an incident for good, in another's name."""
    approval_id = state.decision.approval_id
    record = deployment.approvals.get(approval_id) if approval_id else None
    said = (record.incident_id, record.heal_id, record.decision, record.by) if record else ()
    if said != (state.incident_id, state.heal_id, Verdict.REJECT, state.decision.by):
        raise ApprovalMismatch(
            f"the workflow was told that {state.decision.by!r} rejects the patch, and no record says so: find"
            " out who may call states:SendTaskSuccess. To start over:"
            f" selfheal retry {state.incident_id}"
        )


def _count(state: HealState, incident: Incident, outcome: Outcome) -> None:
    """For the dashboard: what is merged and closed afterwards is counted where it is seen."""
    ids = {"incident_id": incident.incident_id, "app": incident.app}
    for stage in stages(state, incident):
        count("Heals", ids, stage=stage)
    if outcome.ending is Ending.ABSTAINED:
        count("Abstained", ids, reason=abstained_for(outcome.reason))
