"""Writes the outcome once, and tells the team and its channels once."""

from __future__ import annotations

from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Status
from functions.core.notify.notifications import About
from functions.core.workflow.state import HealState, OutcomeState
from functions.record_outcome.outcome import announce, determine, tell


def run(state: HealState, deployment: Deployment) -> OutcomeState:
    """A repeated run writes and tells nothing: what has happened since (a merged pull request, say) stays."""
    outcome = determine(state)
    before = deployment.incidents.get(state.incident_id)
    under_way = before.status in (Status.HEALING, Status.AWAITING_APPROVAL, Status.FAILED)
    if under_way:
        incident = deployment.incidents.advance(state.incident_id, state.execution_arn, **outcome.attributes)
        if incident is not None:
            about = About.incident(incident, "outcome")
            deployment.notifications.send(*tell(incident, outcome), about=about)
            deployment.webhooks.post(incident.app, announce(incident, outcome, state))
    return outcome.to_state(state.incident_id)
