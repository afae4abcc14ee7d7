"""Points in time as people give them: `15min`, `2h`, `7d`, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from infra.errors import Exit, UserError

_AGE = re.compile(r"(\d{1,6})\s*(s|min|m|h|d|w)")
_UNITS = {"s": "seconds", "min": "minutes", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, option: str, now: datetime | None = None) -> str:
    """An ISO 8601 time in UTC, comparable with an incident's times: so long before now, or a date as it is.

    Raises UserError for anything else, naming `option`.
    """
    try:
        if age := _AGE.fullmatch(text.strip().lower()):
            then = (now or datetime.now(UTC)) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        else:
            then = datetime.fromisoformat(text.strip())
        # What people write without a zone is the time on their own clock.
        return then.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise UserError(
            f"{option} {text!r} is no time",
            "give an age such as 30min, 2h or 7d, or a date such as 2026-11-20",
            exit_code=Exit.USAGE,
        ) from None
