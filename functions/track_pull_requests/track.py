"""What became of the pull requests: the end of the loop that a logged error began.

PR_OPEN ── merged ──▶ MERGED ── deployed, and the error stays away ──▶ RESOLVED
   │  │                 └────── deployed, and the error is back ─────▶ NEW
   │  └── checks red, or changes asked for ──▶ NEW, to be followed up
   └── closed ──▶ REJECTED
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions.core.aws.deployment import Deployment
from functions.core.aws.telemetry import came_of_it
from functions.core.forge.port import Forge, PullRequest, State
from functions.core.incidents.incident import Incident, Status
from functions.core.notify.commands import Commands
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import ForgeUnavailable, IncidentNotFound, SelfHealError
from functions.core.workflow.tracking import DEPLOY
from functions.track_pull_requests.deployment import Service, fixed_or_back
from functions.track_pull_requests.follow import followed, say_it_stopped
from functions.track_pull_requests.joined import settled_with
from functions.track_pull_requests.service import RunningService

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from functions.core.incidents.table import Incidents


@dataclass(frozen=True, slots=True)
class Tracked:
    """What one run changed (incident ids), the apps whose forge did not answer (name and reason), and the
    incidents whose address of a pull request is none. followed_up: a heal begins that mends what is open;
    released: what they had joined came to nothing."""

    merged: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    regressed: tuple[str, ...] = ()
    followed_up: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    released: tuple[str, ...] = ()


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """Any event → incident ids of what changed, by what, as in `Tracked`.

    Raises ForgeUnavailable after all apps were looked at if some forge failed, so that the alarm sees it.
    """
    service = RunningService(deployment.session.client("lambda"), deployment.session.client("logs"))
    apps, stopped = deployment.registry.apps(), deployment.switch.stopped()
    now, commands = datetime.now(UTC), deployment.commands
    tracked = track(apps, deployment.incidents, deployment.forge, service, now, stopped, commands)
    count(tracked)
    if tracked.failures:
        raise ForgeUnavailable("; ".join(tracked.failures))
    return asdict(tracked)


def count(tracked: Tracked) -> None:
    """What the dashboard shows of pull requests, also where some forge did not answer."""
    for outcome, found in asdict(tracked).items():
        if found:
            came_of_it(outcome, {}, len(found))


def track(
    apps: Sequence[App],
    incidents: Incidents,
    forge_of: Callable[[App], Forge],
    service: Service,
    now: datetime,
    stopped: str = "",
    commands: Commands = Commands(),  # noqa: B008 - frozen
) -> Tracked:
    """Look at every pull request that is open, and at every fix that is merged, once.

    An app whose forge fails does not keep the others waiting. stopped: who stopped all healing, "" for
    nobody.
    """
    found: dict[str, list[str]] = {name: [] for name in Tracked.__slots__}
    for app in apps:
        try:
            for name, incident in _track(app, incidents, forge_of, service, now, stopped, commands):
                found[name].append(incident.incident_id)
        except SelfHealError as error:
            found["failures"].append(f"{app.name}: {error}")
    return Tracked(**{name: tuple(values) for name, values in found.items()})


def _track(
    app: App,
    incidents: Incidents,
    forge_of: Callable[[App], Forge],
    service: Service,
    now: datetime,
    stopped: str,
    commands: Commands,
) -> Iterator[tuple[str, Incident]]:
    yield from _joined(app, incidents)
    open_, merged = incidents.open_pull_requests(app.name), incidents.with_status(app.name, Status.MERGED)
    asked = [one for one in incidents.with_status(app.name, Status.REJECTED) if _may_be_reopened(one)]
    failed = [one for one in incidents.with_status(app.name, Status.FAILED) if one.pull_request_url]
    if not open_ and not merged and not asked and not failed:
        return
    forge = forge_of(app)
    _say_what_stopped(failed, incidents, forge, now, commands)
    for listed in open_:
        number = forge.number(listed.pull_request_url)
        if number is None:
            yield "unreadable", listed
            continue
        pull = forge.get(number)
        # The index holds what lists show.
        incident = incidents.get(listed.incident_id)
        after = _settled(forge, pull, now)
        if after is None:
            # What is stopped or paused is followed up later.
            after = {} if stopped or app.paused else followed(app, incident, pull, forge, commands)
        changed = incidents.transition(incident.incident_id, Status.PR_OPEN, **after) if after else None
        if changed and changed.status is not Status.PR_OPEN:
            yield _SAID[changed.status], incident
    yield from _explained(asked, incidents, forge, now)
    for listed in merged:
        # The index holds what lists show.
        incident = incidents.get(listed.incident_id)
        if after := fixed_or_back(app, incident, forge, service, now):
            changed = incidents.transition(incident.incident_id, Status.MERGED, **after)
            if changed and changed.status is not Status.MERGED:
                yield "resolved" if changed.status is Status.RESOLVED else "regressed", incident


def _say_what_stopped(
    failed: Sequence[Incident], incidents: Incidents, forge: Forge, now: datetime, commands: Commands
) -> None:
    """On the pull requests that heals were to revise which failed."""
    for listed in failed:
        # The index holds what lists show.
        incident, number = incidents.get(listed.incident_id), forge.number(listed.pull_request_url)
        if number is not None and incident.follow_up and not incident.is_over_for_good(now.isoformat()):
            say_it_stopped(incident, number, forge, commands)


def _found(incidents: Incidents, incident_id: str) -> Incident | None:
    try:
        return incidents.get(incident_id)
    except IncidentNotFound:
        return None


_WITH = {
    Status.RESOLVED: "resolved",
    Status.REJECTED: "rejected",
    Status.NEW: "regressed",
    Status.SUPPRESSED: "released",
}
_SAID = {Status.MERGED: "merged", Status.REJECTED: "rejected", Status.NEW: "followed_up"}
_WHY = "Say why on the pull request, so that the next proposal knows: /self-heal because ..."
_REOPEN = "Nothing; where it was closed by mistake, reopen it within 7 days."
_BECAUSE = re.compile(r"^/self-heal +because\b[ :]*(.+)", re.M | re.S)
_ASKED = (
    "This was closed without merging; the error will only be counted from now on. If you say why, later"
    " proposals for this service are told. Write a line that begins with `/self-heal because`."
)
_NOTED = (
    "Noted: later proposals for this service are told why this was closed. The error will only be counted"
    " from now on. Where this was closed by mistake, reopen it within 7 days."
)
_WAITED = timedelta(days=7)
"""How long after it was closed it is looked at."""


def _may_be_reopened(incident: Incident) -> bool:
    """Whether its pull request was closed, and what becomes of it is still looked at."""
    return incident.status is Status.REJECTED and incident.next_action in (_WHY, _REOPEN)


def _joined(app: App, incidents: Incidents) -> Iterator[tuple[str, Incident]]:
    for listed in incidents.with_status(app.name, Status.JOINED):
        incident = incidents.get(listed.incident_id)
        other = _found(incidents, incident.joined_to)
        if other is not None and _may_be_reopened(other):
            continue
        if after := settled_with(incident, other):
            if goes_with := after["joined_to"]:
                incidents.list_joined(incident.incident_id, goes_with)
            changed = incidents.transition(incident.incident_id, Status.JOINED, **after)
            if changed and changed.status is not Status.JOINED:
                yield _WITH[changed.status], incident


def _explained(
    asked: Sequence[Incident], incidents: Incidents, forge: Forge, now: datetime
) -> Iterator[tuple[str, Incident]]:
    """Keep why a pull request was closed, where somebody has said so; and see whether it is open again."""
    for listed in asked:
        number = forge.number(listed.pull_request_url)
        if number is None:
            continue
        incident, after = incidents.get(listed.incident_id), {"next_action": ""}
        late = now - datetime.fromisoformat(incident.updated_at) > _WAITED
        if forge.get(number).state is not State.CLOSED:
            after = {"status": str(Status.PR_OPEN), "reason": "", "next_action": ""}
        elif listed.next_action == _WHY and (reason := _reason(forge, number)):
            forge.remark(number, _NOTED)
            after = {"reason": reason, "next_action": _REOPEN}
        elif not late:
            continue
        if incidents.transition(listed.incident_id, Status.REJECTED, **after):
            yield "reopened" if "status" in after else "explained", listed


def _reason(forge: Forge, number: int) -> str:
    """What somebody who may push gave as the reason; "" where nobody has."""
    for remark in reversed(forge.remarks(number)):
        if (found := _BECAUSE.search(remark.text)) and forge.may_push(remark.author):
            said = redact(" ".join(found[1].split()))[:500]
            return f"the pull request was closed without merging, says {remark.author}: {said}"
    return ""


def _settled(forge: Forge, pull: PullRequest, now: datetime) -> dict[str, Any] | None:
    """What changes with an incident whose pull request was decided on; None while it is open."""
    match pull.state:
        case State.OPEN:
            return None
        case State.MERGED:
            return {
                "status": str(Status.MERGED),
                "merge_sha": pull.merge_sha,
                "merged_at": now.isoformat(timespec="milliseconds"),
                "reason": f"merged to {pull.base} as {pull.merge_sha}",
                "next_action": DEPLOY,
            }
        case State.CLOSED:
            reason = _reason(forge, pull.number)
            forge.remark(pull.number, _NOTED if reason else _ASKED)
            return {
                "status": str(Status.REJECTED),
                "reason": reason or "the pull request was closed without merging",
                "next_action": _REOPEN if reason else _WHY,
            }
