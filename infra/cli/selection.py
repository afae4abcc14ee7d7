"""Which incidents a command is about: the same filters for lists and for what is done to many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from functions.core.incidents.incident import ErrorClass, Incident, Status
from infra.cli.times import moment
from infra.nearest import unknown
from infra.target import Target

OPEN, CLOSED = "open", "closed"
_GROUPS = {
    OPEN: frozenset(status for status in Status if status.is_open),
    CLOSED: frozenset(status for status in Status if not status.is_open),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that an incident must meet, all of them; an empty one is met by every incident.

    since and before: ISO 8601 in UTC, of when it was seen last; search: words that must all occur somewhere
    in what the list knows of it, whatever their case.
    """

    apps: tuple[str, ...] = ()
    statuses: frozenset[Status] = frozenset()
    classes: frozenset[ErrorClass] = frozenset()
    since: str = ""
    before: str = ""
    search: str = ""

    def matches(self, incident: Incident) -> bool:
        return (
            (not self.apps or incident.app in self.apps)
            and (not self.statuses or incident.status in self.statuses)
            and (not self.classes or incident.error_class in self.classes)
            and (not self.since or incident.last_seen >= self.since)
            and (not self.before or incident.last_seen < self.before)
            and all(word in _text(incident) for word in self.search.casefold().split())
        )


def _text(incident: Incident) -> str:
    parts = (incident.incident_id, incident.title, incident.place, incident.reason, incident.pull_request_url)
    return "\n".join(parts).casefold()


class Sort(StrEnum):
    """OPEN: what is open first, the most recently seen first among each; the others: LAST seen first, FIRST
    seen most recently first, most OCCURRENCES first, by name of the APP."""

    OPEN = "open"
    LAST = "last"
    FIRST = "first"
    OCCURRENCES = "occurrences"
    APP = "app"


# Python's sort is stable: what a key leaves equal stays as it was, the most recently seen first.
_KEYS: dict[Sort, Callable[[Incident], Any]] = {
    Sort.OPEN: lambda incident: not incident.status.is_open,
    Sort.LAST: lambda incident: 0,
    Sort.FIRST: lambda incident: _descending(incident.first_seen),
    Sort.OCCURRENCES: lambda incident: -incident.occurrences,
    Sort.APP: lambda incident: incident.app,
}


def _descending(text: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in text)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a filter found. shown: as many as were asked for, sorted; by_status: of all that it found."""

    shown: tuple[Incident, ...]
    by_status: dict[Status, int]

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


def select(
    incidents: Iterable[Incident], wanted: Filter, sort: Sort = Sort.OPEN, limit: int | None = None
) -> Selection:
    """Those that the filter finds, sorted, `limit` of them shown (None: all), all of them counted."""
    found = [incident for incident in incidents if wanted.matches(incident)]
    found.sort(key=lambda incident: incident.last_seen, reverse=True)
    found.sort(key=_KEYS[sort])
    counts = Counter(incident.status for incident in found)
    return Selection(tuple(found[:limit]), {status: counts[status] for status in Status if counts[status]})


def read(target: Target, wanted: Filter) -> list[Incident]:
    """The incidents that a filter can find, from the table: all pages of it. Raises UserError for an app that
    is neither registered nor has an incident."""
    rows = target.incidents.every(*wanted.apps)
    if missing := set(wanted.apps) - {row.app for row in rows}:
        known = target.app_names()
        for app in sorted(missing - set(known)):
            listed = f"list them with: selfheal apps list{target.flag}"
            raise target.unknown_app(app, listed, same="the same of that one: --app {}")
    return rows


def statuses(texts: Sequence[str]) -> frozenset[Status]:
    """Statuses as people write them: any case, `-` for `_`, or a group of them. Raises UserError."""
    found: frozenset[Status] = frozenset()
    for text in texts:
        name = text.strip().upper().replace("-", "_")
        if name.lower() in _GROUPS:
            found |= _GROUPS[name.lower()]
        elif name in Status.__members__:
            found |= {Status[name]}
        else:
            known = [*_GROUPS, *Status]
            raise unknown("status", text, known, f"known are: {', '.join(known)}")
    return found


def classes(texts: Sequence[str]) -> frozenset[ErrorClass]:
    """Error classes by name. Raises UserError."""
    known = {str(one): one for one in ErrorClass}
    for text in texts:
        if text.lower() not in known:
            raise unknown("error class", text, known, f"known are: {', '.join(known)}")
    return frozenset(known[text.lower()] for text in texts)


def filter_of(
    apps: Sequence[str] | None = None,
    status: Sequence[str] | None = None,
    error_class: Sequence[str] | None = None,
    since: str | None = None,
    older_than: str | None = None,
    search: str | None = None,
) -> Filter:
    """A filter from a command's options. Raises UserError for one that means nothing."""
    return Filter(
        tuple(apps or ()),
        statuses(status or ()),
        classes(error_class or ()),
        moment(since, "--since") if since else "",
        moment(older_than, "--older-than") if older_than else "",
        search or "",
    )
