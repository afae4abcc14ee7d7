"""Claims an incident for an execution."""

from __future__ import annotations

from typing import Any

from functions.core.incidents import Incidents
from functions.core.registry import Registry


def claim(
    incident_id: str, execution_arn: str, heal_id: str, incidents: Incidents, registry: Registry
) -> dict[str, Any]:
    """The state that a heal starts with, or `{"claimed": False}` when another execution has the incident.

    The execution that holds the claim may claim again, which is what a retry and a redrive do. The app is
    read first, so that a claim is not taken for an app that cannot be healed.
    Raises IncidentNotFound, AppNotRegistered or AppInvalid.
    """
    app = registry.app(incidents.get(incident_id).app)
    if incidents.claim(incident_id, execution_arn) is None:
        return {"claimed": False}
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
