"""Claims an incident for an execution."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from functions.core.app import App
from functions.core.incident import Incident, Status
from functions.core.incidents import Incidents
from functions.core.inert import inert_line
from functions.core.notifications import Notifications
from functions.core.quota import HourlyHeals
from functions.core.registry import Registry


def claim(
    incident_id: str,
    execution_arn: str,
    heal_id: str,
    incidents: Incidents,
    registry: Registry,
    notifications: Notifications,
) -> dict[str, Any]:
    """The state that a heal starts with; or `{"claimed": False, "held_back": …}` when another execution has
    the incident, or the app's hour has had as many heals as it may.

    The execution that holds the claim may claim again, which is what a retry and a redrive do. The app is
    read first, so that a claim is not taken for an app that cannot be healed.
    Raises IncidentNotFound, AppNotRegistered or AppInvalid.
    """
    incident = incidents.get(incident_id)
    app = registry.app(incident.app)
    if incident.execution_arn != execution_arn and incident.status is Status.NEW:
        hour = incidents.hourly_heals(app.name, app.max_heals_per_hour)
        if not hour.begin(execution_arn):
            _hold_back(incident, app, hour, incidents, notifications)
            return {"claimed": False, "held_back": True}
    if incidents.claim(incident_id, execution_arn) is None:
        return {"claimed": False, "held_back": False}
    return {
        "claimed": True,
        "incident_id": incident_id,
        "app": app.name,
        "heal_id": heal_id,
        "attempt": 0,
        "attempts_allowed": app.max_attempts,
        "max_attempts": app.max_attempts,
        "comment": "",
        # Whoever may answer the task may decide, unless the app says who decides, or how many must.
        "callback_decides": not app.approvers and app.approvals_needed == 1,
        "second_opinion": bool(app.review_model),
    }


def _hold_back(
    incident: Incident, app: App, hour: HourlyHeals, incidents: Incidents, notifications: Notifications
) -> None:
    """The incident waits: seen again after the hour, it becomes NEW. People are told once an hour."""
    until = f"{datetime.fromtimestamp(hour.ends_at, UTC):%Y-%m-%d %H:%M} UTC"
    reason = f"{app.max_heals_per_hour} heals of {app.name} began within this hour, the most that it may have"
    next_action = f"Nothing: when it is seen again after {until}, its heal begins."
    held = incidents.transition(
        incident.incident_id,
        Status.NEW,
        status=str(Status.SUPPRESSED),
        held_until=hour.ends_at,
        reason=reason,
        next_action=next_action,
    )
    if held and hour.is_first_refused():
        notifications.send(
            f"[{app.name}] Many new errors: heals are held back until {until}",
            f"{reason}.\n\nThe first one that waits: {inert_line(incident.title)}\n"
            f"Incident {incident.incident_id}\n\n"
            "Every error is recorded and counted all the same (selfheal incidents). One that is seen again\n"
            f"after {until} is healed then. If they are real, raise the app's max_heals_per_hour.\n",
        )
