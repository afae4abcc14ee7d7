"""What became of the pull requests: the end of the loop that a logged error began.

PR_OPEN ── merged ──▶ MERGED ── deployed, and the error stays away ──▶ RESOLVED
   │                    └────── deployed, and the error is back ─────▶ NEW
   └── closed ──▶ REJECTED
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from functions.core.forge.port import Forge, State
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.errors import SelfHealError
from functions.track_pull_requests.deployment import Service, fixed_or_back

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from functions.core.incidents.table import Incidents


@dataclass(frozen=True, slots=True)
class Tracked:
    """What one run changed (incident ids), the apps whose forge did not answer (name and reason), and the
    incidents whose address of a pull request is none."""

    merged: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    regressed: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def track(
    apps: Sequence[App],
    incidents: Incidents,
    forge_of: Callable[[App], Forge],
    service: Service,
    now: datetime,
) -> Tracked:
    """Look at every pull request that is open, and at every fix that is merged, once.

    An app whose forge fails does not keep the others waiting.
    """
    found: dict[str, list[str]] = {name: [] for name in Tracked.__slots__}
    for app in apps:
        try:
            for name, incident in _track(app, incidents, forge_of, service, now):
                found[name].append(incident.incident_id)
        except SelfHealError as error:
            found["failures"].append(f"{app.name}: {error}")
    return Tracked(**{name: tuple(values) for name, values in found.items()})


def _track(
    app: App, incidents: Incidents, forge_of: Callable[[App], Forge], service: Service, now: datetime
) -> Iterator[tuple[str, Incident]]:
    open_, merged = incidents.open_pull_requests(app.name), incidents.with_status(app.name, Status.MERGED)
    if not open_ and not merged:
        return
    forge = forge_of(app)
    for incident in open_:
        number = forge.number(incident.pull_request_url)
        if number is None:
            yield "unreadable", incident
        elif (after := _settled(forge, number, now)) and incidents.transition(
            incident.incident_id, Status.PR_OPEN, **after
        ):
            yield after["status"].lower(), incident
    for listed in merged:
        # The index holds what lists show.
        incident = incidents.get(listed.incident_id)
        if after := fixed_or_back(app, incident, forge, service, now):
            changed = incidents.transition(incident.incident_id, Status.MERGED, **after)
            if changed and changed.status is not Status.MERGED:
                yield "resolved" if changed.status is Status.RESOLVED else "regressed", incident


def _settled(forge: Forge, number: int, now: datetime) -> dict[str, str] | None:
    """What changes with an incident whose pull request was decided on; None while it is open."""
    pull = forge.get(number)
    match pull.state:
        case State.OPEN:
            return None
        case State.MERGED:
            return {
                "status": str(Status.MERGED),
                "merge_sha": pull.merge_sha,
                "merged_at": now.isoformat(timespec="milliseconds"),
                "reason": f"merged to {pull.base} as {pull.merge_sha}",
                "next_action": "Deploy it. Until then the error only counts.",
            }
        case State.CLOSED:
            return {
                "status": str(Status.REJECTED),
                "reason": "the pull request was closed without merging",
                "next_action": "",
            }
