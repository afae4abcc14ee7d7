"""When it is looked whether pull requests were merged or closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EVERY_MINUTES = 15
WITHIN_MINUTES = 5
"""The scheduler may be so late, so that not every deployment asks its forge in the same second."""


REVIEW_AND_MERGE = "Review and merge the pull request."
DEPLOY = "Deploy it. Until then the error only counts."
"""What comes next in the ordinary case, in words; the commands say it with addresses and times."""


def next_look(now: datetime) -> datetime:
    """Until when the forge is asked again at the latest, without having told of a change itself."""
    started = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    looks = now.astimezone(UTC).minute // EVERY_MINUTES + 1
    return started + timedelta(minutes=looks * EVERY_MINUTES + WITHIN_MINUTES)
