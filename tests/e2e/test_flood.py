"""Forged tracebacks by the hundred, hour after hour: few heals begin, and a real error gets its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.incidents.incident import Incident, Status

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

_FORGED = """\
Traceback (most recent call last):
  File "/var/task/rates.py", line {n}, in made_up_{n}
    return {place}[made_up_{n}]
KeyError: 'not a real error, not even the {n}th of them, {place}'

"""
REAL = "KeyError: 'NZ'"
MANY = 250
HOUR, BETWEEN = 3600, 10
LASTS = 180
"""In seconds, more than this test takes on a busy machine: limits count by hours of the clock."""


def within_an_hour() -> None:
    """Wait for the next hour where this one is about to end: a limit that begins anew on the way would be
    right, but is another test."""
    left = HOUR - time.time() % HOUR
    if left < LASTS:
        time.sleep(left)


def flood(world: World, app: App, place: str) -> int:
    """Log that many errors, of which none was seen before; how many bytes that takes."""
    text = "".join(_FORGED.format(n=n, place=place) for n in range(MANY))
    world.log(app, text)
    return len(text)


def recorded(world: World, app: App, many: int) -> list[Incident]:
    """The app's incidents, once there are so many, and none waits to be looked at."""

    def look() -> list[Incident] | None:
        found = list(world.target.incidents.recent(app.name, limit=1000))
        settled = all(one.status not in (Status.NEW, Status.HEALING) for one in found)
        return found if len(found) == many and settled else None

    return world.eventually(look, lambda: f"incidents: {world.incidents(app)}")


def an_hour_passes(world: World, app: App) -> None:
    """What is counted and dated is so an hour earlier, which is all that tells hours apart."""
    table: Any = world.target.session.resource("dynamodb").Table(world.target.output("IncidentsTable"))
    number = int(time.time()) // HOUR
    for kind in ("asks", "heals"):
        found = table.get_item(Key={"incident_id": f"{kind}#{app.name}#{number}"}).get("Item")
        if found:
            table.put_item(Item=found | {"incident_id": f"{kind}#{app.name}#{number - 1}"})
            table.delete_item(Key={"incident_id": f"{kind}#{app.name}#{number}"})
    earlier = datetime.fromtimestamp(time.time() - HOUR, UTC).isoformat(timespec="milliseconds")
    for waiting in world.target.incidents.with_status(app.name, Status.SUPPRESSED):
        world.target.incidents.transition(
            waiting.incident_id, Status.SUPPRESSED, held_until=int(time.time()), waiting_since=earlier
        )


def crashing(world: World, app: App, *statuses: Status) -> Incident:
    """The real error, once it has one of these statuses; its service goes on crashing until then.

    What of it comes while the flood has used up the app's share of detection is delivered again later.
    """
    last = 0.0

    def look() -> Incident | None:
        nonlocal last
        if time.monotonic() > last + BETWEEN:
            world.log(app)
            last = time.monotonic()
        found = [one for one in world.target.incidents.recent(app.name, limit=1000) if one.title == REAL]
        return found[0] if found and found[0].status in statuses else None

    return world.eventually(look, lambda: f"{REAL} never was {statuses}")


def heals(world: World, app: App) -> int:
    """How many were begun, and ended with what a made-up error comes to."""
    found = world.target.incidents.recent(app.name, limit=1000)
    return [one.status for one in found].count(Status.ABSTAINED)


def test_a_flood_in_every_hour_begins_few_heals_and_keeps_a_real_error_from_its_own_for_an_hour_at_most(
    world: World,
) -> None:
    app = world.app(max_heals_per_hour=4, storm_after=1000)
    within_an_hour()
    assert flood(world, app, "FIRST") > 40_000
    recorded(world, app, MANY)
    real = crashing(world, app, Status.SUPPRESSED)
    assert len(world.executions(app)) == 16
    assert heals(world, app) == 4

    an_hour_passes(world, app)
    flood(world, app, "SECOND")
    recorded(world, app, 2 * MANY + 1)
    assert len(world.executions(app)) == 16 + 12
    assert heals(world, app) == 4 + 3
    healed = crashing(world, app, Status.AWAITING_APPROVAL)

    assert healed.incident_id == real.incident_id
    assert len(world.executions(app)) == 16 + 12 + 1
