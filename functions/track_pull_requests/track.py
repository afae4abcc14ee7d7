"""What became of the pull requests: the end of the loop that a logged error began."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.app import App
from functions.core.errors import SelfHealError
from functions.core.forge.port import Forge, State
from functions.core.incident import Incident, Status

if TYPE_CHECKING:
    from functions.core.incidents import Incidents


@dataclass(frozen=True, slots=True)
class Tracked:
    """What one run changed, the apps whose forge did not answer (name and reason), and the incidents whose
    address of a pull request is none."""

    resolved: tuple[str, ...]
    rejected: tuple[str, ...]
    failures: tuple[str, ...]
    unreadable: tuple[str, ...] = ()


def track(apps: Sequence[App], incidents: Incidents, forge_of: Callable[[App], Forge]) -> Tracked:
    """Look at every open pull request once. An app whose forge fails does not keep the others waiting."""
    resolved: list[str] = []
    rejected: list[str] = []
    failures: list[str] = []
    unreadable: list[str] = []
    for app in apps:
        waiting = incidents.open_pull_requests(app.name)
        if not waiting:
            continue
        try:
            forge = forge_of(app)
            for incident in waiting:
                number = forge.number(incident.pull_request_url)
                if number is None:
                    unreadable.append(incident.incident_id)
                    continue
                match _settle(forge, incident, number, incidents):
                    case Status.RESOLVED:
                        resolved.append(incident.incident_id)
                    case Status.REJECTED:
                        rejected.append(incident.incident_id)
        except SelfHealError as error:
            failures.append(f"{app.name}: {error}")
    return Tracked(tuple(resolved), tuple(rejected), tuple(failures), tuple(unreadable))


def _settle(forge: Forge, incident: Incident, number: int, incidents: Incidents) -> Status | None:
    state = forge.get(number).state
    if state is State.OPEN:
        return None
    merged = state is State.MERGED
    status = Status.RESOLVED if merged else Status.REJECTED
    reason = "the pull request was merged" if merged else "the pull request was closed without merging"
    changed = incidents.transition(
        incident.incident_id, Status.PR_OPEN, status=str(status), reason=reason, next_action=""
    )
    return status if changed else None
