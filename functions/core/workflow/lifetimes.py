"""How long things live. Each outlives what may still need it, so each derives from the one before.

a question         as long as the deployment gives people to decide
a failed heal      can be redriven for REDRIVE_DAYS, which asks the question again
artifacts          what the last question of a heal is about, and what is committed when it is answered
incidents          and approvals: the record, beyond everything that they name
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

REDRIVE_DAYS = 14
"""How long Step Functions lets a failed execution be redriven.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html"""

APPROVAL_HOURS = 7 * 24
LONGEST_APPROVAL_HOURS = 90 * 24
"""An execution ends after a year, redrives included: two questions with time to redrive after each fit."""

_ARTIFACT_DAYS = 90
"""At least: people look into old heals."""


def heal_days(approval_hours: int) -> int:
    """From a proposal to its commit, at the longest that is kept: a question that nobody answers, redriven on
    the last day, asked again, and the commit redriven on the last day."""
    return 2 * (ceil(approval_hours / 24) + REDRIVE_DAYS)


REUSE_DAYS = 30
"""How old installed dependencies may be when another heal begins to use them."""


def artifact_days(approval_hours: int) -> int:
    """How long an artifact is kept."""
    return max(_ARTIFACT_DAYS, REUSE_DAYS + heal_days(approval_hours) + 1)


INCIDENT_DAYS = artifact_days(LONGEST_APPROVAL_HOURS) + 30
"""How long an incident is kept after its last change, occurrences included."""
KEEP_SECONDS = INCIDENT_DAYS * 24 * 3600


def redrivable_until(stopped: datetime) -> str:
    """When an execution that stopped then can no longer be redriven: ISO 8601."""
    return (stopped + timedelta(days=REDRIVE_DAYS)).isoformat(timespec="milliseconds")
