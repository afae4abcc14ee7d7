"""What becomes of the incidents that joined another's heal: the same, when that is decided."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import utc_now
from functions.track_pull_requests.deployment import DRAIN

_GOES_ON = (*(Status.NEW, Status.HEALING, Status.AWAITING_APPROVAL), *(Status.PR_OPEN, Status.MERGED))


def settled_with(incident: Incident, other: Incident | None) -> dict[str, Any] | None:
    """What changes with a JOINED incident; None while the heal goes on, or the fix is on its way.

    other: the one that it joined, None where that is gone.
    """
    if other is not None and (other.status in _GOES_ON or _may_go_on(other)):
        return None
    if other is not None and other.status is Status.JOINED:
        return {"joined_to": other.joined_to}
    left = {"joined_to": "", "next_action": ""}
    if other is not None and other.status is Status.REJECTED:
        return left | {"status": str(Status.REJECTED), "reason": f"with {other.incident_id}: {other.reason}"}
    if other is not None and other.status is Status.RESOLVED:
        told = f"with {other.incident_id}: {other.reason}"
        if not _seen_since(incident, other.fix_runs_since):
            return left | {"status": str(Status.RESOLVED), "reason": told}
        return left | {
            "status": str(Status.NEW),
            "generation": incident.generation + 1,
            "execution_arn": "",
            "reason": f"seen again at {incident.last_seen}, although resolved {told}",
            "regressed_from": other.pull_request_url,
            "by_hand": False,
        }
    return left | {
        "status": str(Status.SUPPRESSED),
        "held_until": int(time.time()),
        "reason": "the heal that it joined came to nothing" + (f": {other.reason}" if other else ""),
        "next_action": "Nothing: it is healed when it is seen again; or at once:"
        f" selfheal retry {incident.incident_id}",
    }


def _may_go_on(other: Incident) -> bool:
    """Whether a heal that failed can be redriven: healed by itself in the meantime, what joined it would have
    another question and another pull request for one cause."""
    return other.status is Status.FAILED and other.redrivable_until > utc_now()


def _seen_since(incident: Incident, runs_since: str) -> bool:
    return bool(runs_since) and (
        datetime.fromisoformat(incident.last_seen) > datetime.fromisoformat(runs_since) + DRAIN
    )
