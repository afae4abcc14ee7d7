"""Claims an incident for an execution, if its heal may begin now."""

from __future__ import annotations

from typing import Any

from functions.claim_incident.holding import Held, held
from functions.core.apps.app import App
from functions.core.apps.modes import Mode
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import utc_now
from functions.core.notify.notifications import About
from functions.core.untrusted.inert import inert_line
from functions.core.workflow.state import ClaimState, HealState


def run(state: HealState, deployment: Deployment) -> ClaimState:
    """The state that a heal starts with, `claimed` in it true; or else why none starts: none of the flags
    where another execution has the incident.

    The execution that holds the claim may claim again, which is what a retry and a redrive do. The app is
    read first, so that a claim is not taken for an app that cannot be healed.
    Raises IncidentNotFound, AppNotRegistered or AppInvalid.
    """
    incidents = deployment.incidents
    incident = incidents.get(state.incident_id)
    app = deployment.registry.app(incident.app)
    if app.name != incident.app:  # It was recorded while the app was renamed.
        incident = incidents.give(incident.incident_id, app.name) or incident
    if incident.execution_arn != state.execution_arn and incident.status is Status.NEW:
        roots = incidents.roots(app.name)
        if other := roots.holder(incident):
            return _joined(incident, other, deployment)
        if why := held(incident, state.execution_arn, app, incidents, deployment.switch.stopped()):
            _hold_back(incident, app, why, deployment)
            return _not_claimed(incident, "observed" if why.observed else "held_back", why.reason)
        if not _has_its_turn(incident, app, deployment):
            return _not_claimed(incident, "busy", "as many heals as may are under way")
        if other := roots.take(incident):
            return _joined(incident, other, deployment)
    if incidents.claim(incident.incident_id, state.execution_arn) is None:
        return _not_claimed(incident, "", "")
    return ClaimState(
        claimed=True,
        incident_id=incident.incident_id,
        app=app.name,
        heal_id=state.heal_id,
        attempt=0,
        attempts_allowed=app.max_attempts,
        max_attempts=app.max_attempts,
        comment=str(incident.follow_up.get("comment", "")),
        follow_up=bool(incident.follow_up),
        mode=_mode(incident, app),
        # Whoever may answer the task may decide, unless the app says who decides, or how many must.
        callback_decides=not app.approvers and app.approvals_needed == 1,
        second_opinion=bool(app.review_model),
    )


def _mode(incident: Incident, app: App) -> str:
    """How far the heal goes. One that is claimed again, by an app that only observes by now, ends as soon as
    it can."""
    mode = app.mode_of(incident.error_class)
    return str(Mode.DIAGNOSE if mode is Mode.OBSERVE else mode)


def _joined(incident: Incident, other: str, deployment: Deployment) -> ClaimState:
    deployment.incidents.join(incident, other)
    return _not_claimed(incident, "joined", f"healed with {other}")


def _not_claimed(incident: Incident, what: str, reason: str) -> ClaimState:
    return ClaimState(
        incident_id=incident.incident_id,
        busy=what == "busy",
        observed=what == "observed",
        held_back=what == "held_back",
        joined=what == "joined",
        reason=reason,
    )


def _has_its_turn(incident: Incident, app: App, deployment: Deployment) -> bool:
    turns = ((app.name, app.max_heals_at_once), ("", int(deployment.setting("heals_at_once"))))
    return all(deployment.incidents.turns(of, most).take(incident.incident_id) for of, most in turns)


def _hold_back(incident: Incident, app: App, why: Held, deployment: Deployment) -> None:
    """The incident waits: seen again once it may be healed, it becomes NEW. A limit is told of once."""
    if incident.follow_up:
        # Its pull request is open, and is followed up once healing goes on.
        back: dict[str, Any] = {"status": str(Status.PR_OPEN), "checked_sha": "", "follow_up": {}}
        back |= {"heard_until": incident.follow_up["heard_before"], "follow_ups": incident.follow_ups - 1}
        deployment.incidents.transition(incident.incident_id, Status.NEW, **back, reason=why.reason)
        return
    now_held = deployment.incidents.transition(
        incident.incident_id,
        Status.NEW,
        status=str(Status.SUPPRESSED),
        held_until=why.until,
        waiting_since=incident.waiting_since or utc_now(),
        reason=why.reason,
        next_action=why.next_action,
        higher_mode=f"{Mode.DIAGNOSE} would have asked a model for the root cause" if why.observed else "",
    )
    if now_held and why.text:
        deployment.notifications.send(
            f"[{app.name}] {why.subject}",
            f"The first one that waits: {inert_line(incident.title)}\nIncident {incident.incident_id}\n"
            f"\n{why.text}",
            about=About(app.name, "held", str(incident.error_class)),
        )
