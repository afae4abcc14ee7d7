"""A known error is logged as a service would log it, and an hour later a patch for it must be proven.

It goes through what every error goes through: subscription, detection, pipe, workflow, forge, model, sandbox.
The app is one like others, with `infra/canary/` in its repository; its entry says how far its heals go.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident, Status

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

KNOWN_ERROR = """[ERROR] KeyError: 'NZ'
Traceback (most recent call last):
  File "/var/task/rates.py", line 16, in rate
    return RATES[country]
           ~~~~~^^^^^^^^^
"""
"""What `rate("NZ")` of infra/canary/rates.py logs on Lambda."""

_PROVEN = (Status.PROPOSED, Status.AWAITING_APPROVAL)


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """{"do": "begin"} → {"outcome": "begun"}, or "resting" while an earlier heal is not over; {"do": "check"}
    → {"outcome": "proven", "canary_failed": 0}, or "overdue" and 1. Both with the "incident_id" and its
    "status" before, "" where there is none.

    Either may run twice: what is logged twice counts twice, and starts one heal.
    """
    recent = deployment.incidents.recent(deployment.setting("canary_app"), limit=1)
    incident = recent[0] if recent else None
    if event["do"] == "begin":
        return {"outcome": _begin(incident, deployment), **_about(incident)}
    proven = incident is not None and incident.status in _PROVEN
    outcome = "proven" if proven else "overdue"
    return {"outcome": outcome, "canary_failed": int(not proven), **_about(incident)}


def _begin(incident: Incident | None, deployment: Deployment) -> str:
    if incident and incident.status.is_open:
        return "resting"
    if incident and incident.status is not Status.RESOLVED:
        # Seen again after that, it is NEW: nothing but the log starts its heal.
        deployment.incidents.clear(incident, "The canary begins anew.")
    _log(deployment.session.client("logs"), deployment.setting("canary_log_group"))
    return "begun"


def _log(logs: CloudWatchLogsClient, group: str) -> None:
    stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/{uuid.uuid4().hex}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": int(time.time() * 1000), "message": KNOWN_ERROR}],
    )


def _about(incident: Incident | None) -> dict[str, str]:
    if incident is None:
        return {"incident_id": "", "status": ""}
    return {"incident_id": incident.incident_id, "status": str(incident.status)}
