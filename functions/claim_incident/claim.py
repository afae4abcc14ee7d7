"""Claims an incident for an execution, if its heal may begin now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from functions.claim_incident.holding import Held, held
from functions.core.apps.app import App
from functions.core.apps.modes import Mode
from functions.core.apps.registry import Registry
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import Incidents
from functions.core.notify.notifications import Notifications
from functions.core.untrusted.inert import inert_line


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that claiming needs. stopped: who stopped all healing, "" where nobody did; at_once: how
    many heals may be under way in the whole deployment."""

    incidents: Incidents
    registry: Registry
    notifications: Notifications
    stopped: str
    at_once: int


def claim(incident_id: str, execution_arn: str, heal_id: str, desk: Desk) -> dict[str, Any]:
    """The state that a heal starts with, `claimed` in it true; or else, with `reason` where there is one:

    `busy`: as many heals as may are under way; ask again in a minute,
    `observed`: the app's mode records errors of this class, and heals none,
    `held_back`: healing is stopped, the app paused, or a limit reached,
    `joined`: another incident with the same root cause is healed for it,
    none of them: another execution has the incident.

    The execution that holds the claim may claim again, which is what a retry and a redrive do. The app is
    read first, so that a claim is not taken for an app that cannot be healed.
    Raises IncidentNotFound, AppNotRegistered or AppInvalid.
    """
    incidents = desk.incidents
    incident = incidents.get(incident_id)
    app = desk.registry.app(incident.app)
    if incident.execution_arn != execution_arn and incident.status is Status.NEW:
        roots = incidents.roots(app.name)
        if other := roots.holder(incident):
            return _joined(incident, other, desk)
        if why := held(incident, execution_arn, app, incidents, desk.stopped):
            _hold_back(incident, app, why, desk)
            return _not_claimed(incident_id, "observed" if why.observed else "held_back", why.reason)
        if not _has_its_turn(incident, app, desk):
            return _not_claimed(incident_id, "busy", "as many heals as may are under way")
        if other := roots.take(incident):
            return _joined(incident, other, desk)
    if incidents.claim(incident_id, execution_arn) is None:
        return _not_claimed(incident_id, "", "")
    return {
        "claimed": True,
        "incident_id": incident_id,
        "app": app.name,
        "heal_id": heal_id,
        "attempt": 0,
        "attempts_allowed": app.max_attempts,
        "max_attempts": app.max_attempts,
        "comment": str(incident.follow_up.get("comment", "")),
        "follow_up": bool(incident.follow_up),
        "mode": _mode(incident, app),
        # Whoever may answer the task may decide, unless the app says who decides, or how many must.
        "callback_decides": not app.approvers and app.approvals_needed == 1,
        "second_opinion": bool(app.review_model),
    }


def _mode(incident: Incident, app: App) -> str:
    """How far the heal goes. One that is claimed again, by an app that only observes by now, ends as soon as
    it can."""
    mode = app.mode_of(incident.error_class)
    return str(Mode.DIAGNOSE if mode is Mode.OBSERVE else mode)


def _joined(incident: Incident, other: str, desk: Desk) -> dict[str, Any]:
    desk.incidents.join(incident, other)
    return _not_claimed(incident.incident_id, "joined", f"healed with {other}")


def _not_claimed(incident_id: str, what: str, reason: str) -> dict[str, Any]:
    flags = {flag: flag == what for flag in ("busy", "observed", "held_back", "joined")}
    return {"claimed": False, **flags, "incident_id": incident_id, "reason": reason}


def _has_its_turn(incident: Incident, app: App, desk: Desk) -> bool:
    turns = ((app.name, app.max_heals_at_once), ("", desk.at_once))
    return all(desk.incidents.turns(of, most).take(incident.incident_id) for of, most in turns)


def _hold_back(incident: Incident, app: App, why: Held, desk: Desk) -> None:
    """The incident waits: seen again once it may be healed, it becomes NEW. A limit is told of once."""
    if incident.follow_up:
        # Its pull request is open, and is followed up once healing goes on.
        back: dict[str, Any] = {"status": str(Status.PR_OPEN), "checked_sha": "", "follow_up": {}}
        back |= {"heard_until": incident.follow_up["heard_before"], "follow_ups": incident.follow_ups - 1}
        desk.incidents.transition(incident.incident_id, Status.NEW, **back, reason=why.reason)
        return
    now_held = desk.incidents.transition(
        incident.incident_id,
        Status.NEW,
        status=str(Status.SUPPRESSED),
        held_until=why.until,
        reason=why.reason,
        next_action=why.next_action,
        higher_mode=f"{Mode.DIAGNOSE} would have asked a model for the root cause" if why.observed else "",
    )
    if now_held and why.tell:
        desk.notifications.send(
            f"[{app.name}] Many new errors: heals are held back",
            f"{why.reason}.\n\nThe first one that waits: {inert_line(incident.title)}\n"
            f"Incident {incident.incident_id}\n\n"
            f"{why.next_action}\n"
            f"Every error is recorded and counted all the same: selfheal incidents --app {app.name}\n"
            "If they are real, raise the limit: selfheal configure"
            f" {app.name} --set max_heals_per_hour={2 * app.max_heals_per_hour}\n",
        )
