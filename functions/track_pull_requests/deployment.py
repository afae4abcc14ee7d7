"""Whether a merged fix runs, and whether the error is gone with it.

A merge mends nothing that runs. So occurrences count, and start nothing, until what is deployed has the
merge: told by the app's entry, by its function's tags and environment, and where none of them names a commit
that the forge knows, by the time that the app's deployments take. From then on the error either stays away
while the service is used, or is back.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from functions.core.apps.app import App
from functions.core.apps.deployed import RevisionClaims
from functions.core.forge.port import Forge
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.errors import RepositoryNotFound

DRAIN = timedelta(minutes=20)
"""How long what ran before a deployment may go on: a Lambda function's last invocation takes 15 minutes at
most, and a log line a few to arrive. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class Service(Protocol):
    """What AWS knows of an app's running code."""

    def told(self, incident: Incident, environment: bool) -> RevisionClaims:
        """What its function names as deployed now; environment: whether its variables may be read."""

    def used_since(self, incident: Incident, since: datetime) -> bool:
        """Whether it logged anything after that."""


def fixed_or_back(
    app: App, incident: Incident, forge: Forge, service: Service, now: datetime
) -> dict[str, Any] | None:
    """What changes with a MERGED incident; None for nothing."""
    last, named = datetime.fromisoformat(incident.last_seen), incident.revision
    merged, has_fix = datetime.fromisoformat(incident.merged_at), _has_merge(forge, incident, named)
    if has_fix and last > merged:
        return _back(incident, f"the log names {named}, which has the merge")
    runs, why = _runs(app, incident, forge, service, now)
    if not runs:
        # Rolled back: whatever was seen before says nothing.
        return {"fix_runs_since": "", "fix_runs_why": why} if incident.fix_runs_since else None
    if not incident.fix_runs_since:
        return {"fix_runs_since": _text(now), "fix_runs_why": why, "next_action": ""}
    since = datetime.fromisoformat(incident.fix_runs_since)
    if last > since + DRAIN and has_fix is None:
        return _back(incident, incident.fix_runs_why)
    quiet = max(since, last) + timedelta(hours=app.gone_after_hours)
    if now < quiet or not service.used_since(incident, max(since, last)):
        return None
    return {
        "status": str(Status.RESOLVED),
        "reason": f"not seen since {_text(max(since, last))}, and {incident.fix_runs_why}",
        "next_action": "",
    }


def _back(incident: Incident, why: str) -> dict[str, Any]:
    return {
        "status": str(Status.NEW),
        "generation": incident.generation + 1,
        "regressed_from": incident.pull_request_url,
        "by_hand": False,
        "execution_arn": "",
        "reason": f"seen again at {incident.last_seen}, although {why}",
        "next_action": "",
        "fix_runs_since": "",
        "follow_up": {},
        "follow_ups": 0,
    }


def _runs(app: App, incident: Incident, forge: Forge, service: Service, now: datetime) -> tuple[bool, str]:
    """Whether what is deployed has the merge, and what says so."""
    named = [("the app's entry", app.revision)] if app.revision else []
    # What the version that failed says is of before the fix.
    current = replace(incident, log_stream="")
    named += [
        (claim.by, claim.revision) for claim in service.told(current, app.revision_from_environment).claims
    ]
    for by, revision in named:
        has = _has_merge(forge, incident, revision)
        if has is not None:
            return has, f"{by} names {revision}, which has {'' if has else 'not got '}the merge"
    deadline = datetime.fromisoformat(incident.merged_at) + timedelta(hours=app.deployed_within_hours)
    return now >= deadline, (
        f"nothing tells the deployed revision, and {app.deployed_within_hours:g} hours passed since the merge"
    )


def _has_merge(forge: Forge, incident: Incident, revision: str) -> bool | None:
    """Whether a revision has the incident's merge; None where the forge knows no such revision."""
    if not revision or not incident.merge_sha:
        return None
    for name in (revision, f"v{revision}"):
        try:
            return forge.compare(name, incident.merge_sha).ahead == 0
        except RepositoryNotFound:
            continue
    return None


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")
