"""How often an error was seen over time, as a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.core.incidents.frequency import Stretch
from functions.core.notify.counts import counted

WIDTH, HEIGHT = 240.0, 32.0
_BINS = 48
_GAP, _LEAST = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Occurrences of one stretch of time; all in the picture's own units."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A revision that the log names from here on."""

    x: float
    title: str


@dataclass(frozen=True, slots=True)
class Sparkline:
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    start: str
    end: str
    said: str
    """The picture in words."""


def sparkline(stretches: Sequence[Stretch], now: datetime) -> Sparkline | None:
    """From the first sighting to now, in equal parts; None where nothing was noted.

    No part is shorter than the longest stretch that was noted, so that none looks busier than it was.
    """
    if not stretches:
        return None
    start = stretches[0].start
    longest = max(stretch.length for stretch in stretches)
    part = max((now - start) / _BINS, longest, timedelta(minutes=1))
    parts = max(int((now - start) / part) + 1, 1)
    counts, marks, revision = [0] * parts, [], ""
    width = WIDTH / max(parts, 12)
    for stretch in stretches:
        at = min(int((stretch.start - start) / part), parts - 1)
        counts[at] += stretch.count
        if stretch.revision and stretch.revision != revision:
            marks.append(Mark(round(at * width, 1), f"Revision {stretch.revision[:40]}"))
            revision = stretch.revision
    most = max(counts) or 1
    bars = tuple(
        _bar(index, count, most, width, start + index * part) for index, count in enumerate(counts) if count
    )
    end = min(start + parts * part, now)
    words = f"At most {max(counts):,} in {_said(part)}" + (
        f"; {counted(len(marks), 'revision')}" if len(marks) > 1 else ""
    )
    return Sparkline(bars, tuple(marks), start.isoformat(), end.isoformat(), words)


def _bar(index: int, count: int, most: int, width: float, at: datetime) -> Bar:
    height = max(_LEAST, (HEIGHT - 2) * count / most)
    return Bar(
        round(index * width, 1),
        round(HEIGHT - height, 1),
        round(width - _GAP, 1),
        round(height, 1),
        f"{count:,} from {at:%-d %b %H:%M} UTC",
    )


def _said(part: timedelta) -> str:
    minutes = round(part.total_seconds() / 60)
    if minutes < 60:
        return "a minute" if minutes == 1 else counted(minutes, "minute")
    hours = round(minutes / 60)
    if hours < 48:
        return "an hour" if hours == 1 else counted(hours, "hour")
    return counted(round(hours / 24), "day")
