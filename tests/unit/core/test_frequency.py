"""How often an incident was seen over time, for its sparkline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from functions.core.incidents.frequency import Frequency

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

FIRST = datetime(2026, 11, 20, 12, tzinfo=UTC)


def after(**age: float) -> str:
    return (FIRST + timedelta(**age)).isoformat(timespec="milliseconds")


def test_stretches_grow_with_the_incident_s_age_and_hold_what_came_in_each(incidents_table: Table) -> None:
    frequency = Frequency(incidents_table)
    for age, total, revision in (
        ({"minutes": 0}, 1, "1.0"),
        ({"minutes": 1}, 4, ""),
        ({"hours": 5, "minutes": 10}, 10, "1.1"),
        ({"hours": 5, "minutes": 50}, 30, "1.1"),
        ({"days": 9}, 31, ""),
    ):
        frequency.note("orders-1", after(), after(**age), total, revision)
    found = frequency.of("orders-1")
    assert [(one.start, one.length, one.count, one.revision) for one in found] == [
        (FIRST, timedelta(minutes=1), 1, "1.0"),
        (FIRST + timedelta(minutes=1), timedelta(minutes=1), 3, ""),
        (FIRST + timedelta(hours=5), timedelta(hours=1), 26, "1.1"),
        (datetime(2026, 11, 29, tzinfo=UTC), timedelta(days=1), 1, ""),
    ]


def test_noting_twice_or_late_changes_no_sum(incidents_table: Table) -> None:
    frequency = Frequency(incidents_table)
    for minutes, total in ((0, 5), (2, 9), (2, 9), (1, 7)):
        frequency.note("orders-1", after(), after(minutes=minutes), total)
    assert sum(one.count for one in frequency.of("orders-1")) == 9


def test_a_time_that_is_none_is_not_noted_and_an_unknown_incident_has_nothing(incidents_table: Table) -> None:
    Frequency(incidents_table).note("orders-1", "yesterday", "today", 3)
    assert Frequency(incidents_table).of("orders-1") == ()
