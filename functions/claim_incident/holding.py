"""Why an incident is not healed now: the switch, its app's mode and limits; and for how long that holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from functions.core.apps.app import MOST_HEALS, App
from functions.core.apps.modes import OBSERVES, Mode
from functions.core.incidents.incident import Incident
from functions.core.incidents.quota import HealsIn, QuotaPeriod
from functions.core.incidents.table import Incidents
from functions.core.notify.counts import counted, often

_LOOK_AGAIN_SECONDS = 15 * 60
"""How often pull requests are looked at (see `track_pull_requests`)."""
_STORM_WAITS_SECONDS = 24 * 3600
"""By then somebody has answered, or the errors are how the app is. What waited for so long is no part of
another storm, else whoever can write to the log could keep an app from being healed for good."""


@dataclass(frozen=True, slots=True)
class Held:
    """reason: as a clause. until: epoch seconds after which a sighting makes the incident NEW again.
    observed: the mode, and no limit, says so. subject, text: of what people are told; "" where they hear
    nothing."""

    reason: str
    until: int
    next_action: str
    observed: bool = False
    subject: str = ""
    text: str = ""


def held(incident: Incident, execution_arn: str, app: App, incidents: Incidents, stopped: str) -> Held | None:
    """Why this heal does not begin; None where it does. It then counts for the app's hour and day.

    stopped: who stopped all healing, "" where nobody did.
    """
    now = int(time.time())
    if incident.follow_up and not app.paused and not stopped:
        return None  # it counts as the heal that it follows up
    for look in (_steered, _too_rare):
        if found := look(incident, app, stopped, now):
            return found
    if found := _in_a_storm(incident, app, incidents, now):
        return found
    # Where many wait, the quick look at the counters spares the one at the pull requests.
    return (
        _too_many_began(incident, app, incidents, lambda heals: heals.has_room(execution_arn))
        or _too_many_open(incident, app, incidents, now)
        or _too_many_began(incident, app, incidents, lambda heals: heals.begin(execution_arn))
    )


def _steered(incident: Incident, app: App, stopped: str, now: int) -> Held | None:
    again = f"selfheal retry {incident.incident_id}"
    if stopped:
        return Held(
            stopped, now, f"Once healing goes on (selfheal start), it is healed when seen, or: {again}"
        )
    if app.paused:
        resume = f"selfheal apps resume {app.name}"
        return Held(
            f"{app.name} is paused", now, f"Once it goes on ({resume}), it is healed when seen, or: {again}"
        )
    if app.mode_of(incident.error_class) is Mode.OBSERVE:
        raised = f"selfheal configure {app.name} --set mode={Mode.DIAGNOSE}"
        return Held(
            f"{app.name} {OBSERVES} {incident.error_class}",
            now,
            f"To have it healed, raise the mode ({raised}), then: {again}",
            observed=True,
        )
    return None


def _too_rare(incident: Incident, app: App, stopped: str, now: int) -> Held | None:
    if incident.occurrences >= app.min_occurrences or app.min_occurrences == 1 or incident.generation > 1:
        return None
    return Held(
        f"it was seen {often(incident.occurrences)}, and {app.name} heals what was seen"
        f" {often(app.min_occurrences)}",
        now,
        "Nothing: once it was seen so often, its heal begins; or at once:"
        f" selfheal retry {incident.incident_id}",
    )


def _in_a_storm(incident: Incident, app: App, incidents: Incidents, now: int) -> Held | None:
    waits = incident.waiting_since
    if incident.by_hand or (
        waits and now - datetime.fromisoformat(waits).timestamp() >= _STORM_WAITS_SECONDS
    ):
        return None
    storm = incidents.storm(app.name, app.storm_after)
    began = storm.joined_by(incident.incident_id)
    if not began:
        return None
    name = f"storm of {datetime.fromtimestamp(began, UTC):%Y-%m-%d %H:%M}"
    together = f"selfheal retry --app {app.name} --search '{name}'"
    held = Held(
        f"it came in the {name} UTC: more than {counted(app.storm_after, 'new error')} of {app.name} within"
        " a quarter of an hour",
        now + _STORM_WAITS_SECONDS,
        "See whether they have one cause, such as a release to be rolled back. To have it healed: selfheal"
        f" retry {incident.incident_id} (all of the storm: {together})",
    )
    if not storm.is_news(began):
        return held
    raised = min(10 * app.storm_after, MOST_HEALS)
    most = counted(app.storm_after, "new error")
    text = _STORM.format(app=app.name, most=most, together=together, raised=raised)
    return replace(held, subject="A storm of new errors: are they to be healed?", text=text)


_STORM = """\
{app} logs more than {most} within a quarter of an hour. They may have one cause, such as a
release that is better rolled back, so those whose heals had not begun are held back, and so is what comes
until it is calm again.

Every error is recorded and counted: selfheal incidents --app {app}
If they are to be healed all the same: {together}
Whatever is not answered may be healed when it is seen again, a day after it was held back.
If so many are usual: selfheal configure {app} --set storm_after={raised}
"""


def _too_many_open(incident: Incident, app: App, incidents: Incidents, now: int) -> Held | None:
    waiting = len(incidents.open_pull_requests(app.name))
    if waiting < app.max_open_pull_requests:
        return None
    return Held(
        f"{app.name} has {counted(waiting, 'pull request')} to be merged, the most that it may have",
        now + _LOOK_AGAIN_SECONDS,
        "Merge or close some: then it is healed when it is seen again, or:"
        f" selfheal retry {incident.incident_id}",
    )


_MANY = """\
{held.reason}.

{held.next_action}
Every error is recorded and counted all the same: selfheal incidents --app {app}
If they are real, raise the limit: selfheal configure {app} --set {limit}={twice}
"""


def _too_many_began(
    incident: Incident, app: App, incidents: Incidents, may: Callable[[HealsIn], bool]
) -> Held | None:
    for period, limit in (
        (QuotaPeriod.HOUR, "max_heals_per_hour"),
        (QuotaPeriod.DAY, "max_heals_per_day"),
    ):
        most: int = getattr(app, limit)
        heals = incidents.heals_in(period, app.name, most, incident.waiting_since)
        if not may(heals):
            until = f"{datetime.fromtimestamp(heals.ends_at, UTC):%Y-%m-%d %H:%M} UTC"
            held = Held(
                f"{counted(heals.most, 'heal')} of {app.name} began within this {period.word}, the most that"
                " it may have",
                heals.ends_at,
                f"Nothing: when it is seen again after {until}, its heal begins.",
            )
            if not heals.is_first_refused():
                return held
            text = _MANY.format(held=held, app=app.name, limit=limit, twice=min(2 * most, MOST_HEALS))
            return replace(held, subject="Many new errors: heals are held back", text=text)
    return None
