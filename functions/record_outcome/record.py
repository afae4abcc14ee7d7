"""Writes the outcome once, and tells the team and its channels once."""

from __future__ import annotations

from typing import Any

from functions.core.incidents.incident import Status
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import About, Notifications
from functions.core.notify.webhooks import Webhooks
from functions.record_outcome.outcome import announce, determine, tell


def record(
    state: dict[str, Any], incidents: Incidents, notifications: Notifications, webhooks: Webhooks
) -> dict[str, Any]:
    """Record the outcome of the heal with this state; the task's result.

    A repeated run writes and tells nothing: what has happened since (a merged pull request, say) stays.
    """
    outcome = determine(state)
    incident_id = state["incident_id"]
    before = incidents.get(incident_id)
    under_way = before.status in (Status.HEALING, Status.AWAITING_APPROVAL, Status.FAILED)
    if under_way:
        incident = incidents.advance(incident_id, state["execution_arn"], **outcome.attributes)
        if incident is not None:
            notifications.send(*tell(incident, outcome), about=About.incident(incident, "outcome"))
            webhooks.post(incident.app, announce(incident, outcome, state))
    return outcome.to_json(incident_id)
