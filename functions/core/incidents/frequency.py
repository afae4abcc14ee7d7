"""How often an incident was seen over time: what a sparkline is drawn from.

An item of its own per incident, in the incidents table (it has neither app nor status, so neither the index
nor the pipe sees it): `seen#INCIDENT`, with an attribute per stretch of time, which grow with the incident's
age. Each holds how often the incident had been seen by then, so that writing it twice changes nothing, and
beside it which revision the log named.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions.core.workflow.lifetimes import KEEP_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

# (up to this age, characters of the ISO 8601 time that name the stretch, its length): at most 120, then 70,
# then one for each day that an incident lives.
_STRETCHES = (
    (timedelta(hours=2), 16, timedelta(minutes=1)),
    (timedelta(hours=72), 13, timedelta(hours=1)),
    (timedelta.max, 10, timedelta(days=1)),
)
_LENGTHS = {width: length for _, width, length in _STRETCHES}
_REVISION = " revision"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time: how often the incident was seen in it, and the revision that the log named then."""

    start: datetime
    length: timedelta
    count: int
    revision: str = ""


class Frequency:
    """The items of all incidents."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def note(self, incident_id: str, first_seen: str, at: str, total: int, revision: str = "") -> None:
        """The incident was seen `total` times by `at`. Times are ISO 8601; others are not noted."""
        try:
            moment = datetime.fromisoformat(at).astimezone(UTC)
            age = moment - datetime.fromisoformat(first_seen).astimezone(UTC)
        except ValueError:
            return
        width = next(width for most, width, _ in _STRETCHES if age < most)
        name = moment.isoformat()[:width]
        values: dict[str, Any] = {name: total} | ({name + _REVISION: revision} if revision else {})
        values["ttl"] = int(time.time()) + KEEP_SECONDS
        names = list(values)
        self._table.update_item(
            Key={"incident_id": _key(incident_id)},
            UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in range(len(names))),
            ExpressionAttributeNames={f"#{n}": name for n, name in enumerate(names)},
            ExpressionAttributeValues={f":{n}": values[name] for n, name in enumerate(names)},
        )

    def of(self, incident_id: str) -> tuple[Stretch, ...]:
        """What was noted, oldest first."""
        item = self._table.get_item(Key={"incident_id": _key(incident_id)}).get("Item") or {}
        found, before = [], 0
        for name in sorted(key for key in item if key[:1].isdigit() and not key.endswith(_REVISION)):
            total = int(str(item[name]))
            start = datetime.fromisoformat(name + ":00" * (len(name) == 13)).replace(tzinfo=UTC)
            revision = str(item.get(name + _REVISION, ""))
            found.append(Stretch(start, _LENGTHS[len(name)], max(total - before, 0), revision))
            before = max(total, before)
        return tuple(found)


def _key(incident_id: str) -> str:
    return f"seen#{incident_id}"
