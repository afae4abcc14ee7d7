"""What is told at once, and what waits for a digest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import boto3
import pytest

from functions.core.apps.app import App
from functions.core.incidents.incident import ErrorClass, Incident, Status
from functions.core.notify.notifications import Notifications
from functions.core.notify.outbox import AT_ONCE, WINDOW_SECONDS, Outbox, quiet, quiet_until, tell_at, waiting
from functions.core.workflow.errors import AppInvalid

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.unit.conftest import Inbox

APP = App("orders", ("/aws/lambda/orders",), "https://github.com/shop/orders")
NIGHT = replace(APP, quiet_hours="22:00-07:00", time_zone="Europe/Berlin")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


def error(number: int) -> Incident:
    name, title = f"orders-v1-{number}", f"ConnectionError: shard {number}"
    return Incident(
        *(name, f"v1-{number}", "orders", Status.SUPPRESSED, "ConnectionError", title), ErrorClass.EXTERNAL
    )


@pytest.fixture
def outbox(incidents_table: Table, inbox: Inbox) -> Outbox:
    topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
    return Outbox(incidents_table, Notifications(boto3.client("sns"), topic))


def told(outbox: Outbox, app: App, errors: range, now: float) -> list[bool]:
    return [outbox.tell(app, error(n), f"subject {n}", "text", now) for n in errors]


def test_of_many_at_once_the_first_are_told_and_the_others_together(
    outbox: Outbox, incidents_table: Table, inbox: Inbox
) -> None:
    assert told(outbox, APP, range(300), NOON).count(True) == AT_ONCE
    assert len(inbox()) == AT_ONCE
    assert waiting(incidents_table, APP)[1] == 300 - AT_ONCE
    assert outbox.digest(APP, NOON + 60) == 300 - AT_ONCE
    (digest,) = inbox()
    assert digest["Subject"] == "[orders] 295 more errors"
    assert "orders-v1-7" in digest["Message"]
    assert "and 245 more" in digest["Message"]
    assert "selfheal incidents --app orders --status closed" in digest["Message"]
    assert outbox.digest(APP, NOON + 120) == 0, "once"
    assert told(outbox, APP, range(300, 301), NOON + WINDOW_SECONDS) == [True]


def test_within_quiet_hours_nothing_is_told_that_can_wait(outbox: Outbox, inbox: Inbox) -> None:
    night = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()
    assert told(outbox, NIGHT, range(1), night) == [False]
    assert outbox.digest(NIGHT, night) == 0
    assert inbox() == []
    assert outbox.digest(NIGHT, datetime(2026, 11, 21, 6, 30, tzinfo=UTC).timestamp()) == 1
    assert [mail["Subject"] for mail in inbox()] == ["[orders] One more error"]


def test_what_waits_is_told_after_a_rename_too(outbox: Outbox, inbox: Inbox) -> None:
    night = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()
    told(outbox, NIGHT, range(2), night)
    renamed = replace(NIGHT, name="shop", first_name="orders")
    assert outbox.digest(renamed, datetime(2026, 11, 21, 6, 30, tzinfo=UTC).timestamp()) == 2
    assert [mail["Subject"] for mail in inbox()] == ["[shop] 2 more errors"]


@pytest.mark.parametrize(
    ("hours", "utc", "is_quiet"),
    [
        ("22:00-07:00", 20, False),
        ("22:00-07:00", 21, True),
        ("22:00-07:00", 5, True),
        ("22:00-07:00", 6, False),
        ("12:00-13:00", 11, True),
        ("12:00-13:00", 12, False),
        ("", 3, False),
    ],
)
def test_quiet_hours_are_on_the_clock_of_the_app_s_people(hours: str, utc: int, is_quiet: bool) -> None:
    now = datetime(2026, 11, 20, utc, tzinfo=UTC).timestamp()
    assert quiet(replace(NIGHT, quiet_hours=hours), now) is is_quiet


def at(hour: int, minute: int = 0) -> float:
    """That time in Berlin on the evening, or in the night after it, as epoch seconds."""
    day = 20 if hour >= 12 else 21
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


@pytest.mark.parametrize(
    ("now", "hours", "told"),
    [
        (at(21, 59), 168, 0),
        (at(22), 168, at(7)),
        (at(23, 30), 168, at(7)),
        (at(6, 59), 168, at(7)),
        (at(7), 168, 0),
        (at(23), 16, at(7)),
        (at(23), 15, 0),
    ],
)
def test_of_a_question_people_are_told_when_quiet_hours_end_unless_half_of_its_time_were_gone(
    now: float, hours: int, told: float
) -> None:
    assert tell_at(NIGHT, now, now + hours * 3600) == told


def test_quiet_hours_end_by_the_clock_also_when_it_is_changed() -> None:
    """In the night of 24 October 2026 an hour comes twice: from 22:00 to 07:00 are ten hours."""
    now = datetime(2026, 10, 24, 22, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert quiet_until(NIGHT, now) == now + 10 * 3600


@pytest.mark.parametrize(
    "wrong", [{"quiet_hours": "22-7"}, {"quiet_hours": "22:00-22:00"}, {"time_zone": "Mars/Olympus"}]
)
def test_hours_and_zones_that_are_none_are_refused(wrong: dict[str, str]) -> None:
    entry = {"log_groups": ["/aws/lambda/x"], "repository": "https://github.com/a/b", **wrong}
    with pytest.raises(AppInvalid, match=next(iter(wrong))):
        App.from_json("orders", entry)


def test_subscriptions_can_choose_by_app_class_and_severity(outbox: Outbox, inbox: Inbox) -> None:
    told(outbox, APP, range(1), NOON)
    (mail,) = inbox()
    attributes = {name: value["Value"] for name, value in mail["MessageAttributes"].items()}
    assert attributes == {
        "app": "orders",
        "kind": "recorded",
        "error_class": "external",
        "severity": "low",
    }, json.dumps(attributes)
