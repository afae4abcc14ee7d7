"""Points in time as people are told them: on their own clock where it is known, with UTC beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

MINUTE = "%Y-%m-%d %H:%M"


def said(at: datetime, zone: str = "", form: str = MINUTE) -> str:
    """A time to the minute. zone: an IANA name, "" for UTC alone; form: of date and time, for strftime."""
    utc = at.astimezone(UTC)
    if not zone:
        return f"{utc:{form}} UTC"
    local = utc.astimezone(ZoneInfo(zone))
    beside = "%H:%M" if local.date() == utc.date() else form
    return f"{local:{form}} {local:%Z} ({utc:{beside}} UTC)"


def said_of(text: str, zone: str = "", form: str = MINUTE) -> str:
    """The same of an ISO 8601 time; other text as it is, because it may come from a log."""
    try:
        return said(datetime.fromisoformat(text), zone, form)
    except ValueError:
        return text


def duration(seconds: float) -> str:
    """Seconds for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
