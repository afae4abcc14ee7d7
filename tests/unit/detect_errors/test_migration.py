"""A new version of the fingerprint: an error that was known before it keeps its incident, its id and its
history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.apps.app import App
from functions.core.incidents.table import Incidents
from functions.detect_errors.aliases import Aliases, identify
from functions.detect_errors.fingerprint import VERSION
from functions.detect_errors.read import read_errors
from tests.unit.detect_errors import test_handler
from tests.unit.detect_errors.test_handler import CRASH, NOW, OTHER, Invoke

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

topic, invoke, incidents = test_handler.topic, test_handler.invoke, test_handler.incidents
APP = App(
    name="orders", log_groups=("g",), repository="https://github.com/shop/orders.git", packages=("orders",)
)
OLD = "v1-0123456789abcdef"


@pytest.fixture
def before(incidents_table: Table) -> Iterator[Table]:
    """An incident as version 1 had named and recorded it."""
    (error,) = read_errors(CRASH, packages=("orders",))
    incidents_table.put_item(
        Item={
            "incident_id": f"orders-{OLD}",
            "app": "orders",
            "fingerprint": OLD,
            "status": "PR_OPEN",
            "error_type": "KeyError",
            "title": "KeyError: 'NZ'",
            "sample": OTHER + CRASH,
            "frames": [{"file": f.file, "line": f.line, "function": f.function} for f in error.frames],
            "occurrences": 41,
            "first_seen": "2026-11-01T00:00:00.000+00:00",
            "last_seen": "2026-11-02T00:00:00.000+00:00",
            "pull_request_url": "https://github.com/shop/orders/pull/7",
        }
    )
    yield incidents_table


def test_an_error_known_before_is_counted_by_its_own_incident(
    before: Table, invoke: Invoke, incidents: Incidents
) -> None:
    assert invoke(CRASH, CRASH)["incidents"] == 1
    (incident,) = incidents.recent("orders")
    assert incident.incident_id == f"orders-{OLD}"
    assert incident.occurrences == 41 + 2
    assert incident.pull_request_url.endswith("/7")
    invoke(OTHER, first=NOW + 60_000)
    new = [one.fingerprint for one in incidents.recent("orders") if one.incident_id != f"orders-{OLD}"]
    assert [name.startswith(f"v{VERSION}-") for name in new] == [True]


def test_the_migration_runs_once_and_twice_is_once(before: Table) -> None:
    (error,) = read_errors(CRASH, packages=("orders",))
    first = Aliases(before, f"v{VERSION}").of("orders", identify(APP))
    assert first == {error.fingerprint: OLD}

    def never(_: Any) -> str:
        raise AssertionError("the migration is over")

    assert Aliases(before, f"v{VERSION}").of("orders", never) == first
    assert Aliases(before, f"v{VERSION + 1}").of("orders", identify(APP)) == first


def test_a_sample_that_no_longer_tells_gives_no_alias(before: Table) -> None:
    before.update_item(
        Key={"incident_id": f"orders-{OLD}"},
        UpdateExpression="SET #sample = :s",
        ExpressionAttributeNames={"#sample": "sample"},
        ExpressionAttributeValues={":s": "[redacted]"},
    )
    assert Aliases(before, f"v{VERSION}").of("orders", identify(APP)) == {}


def test_aliases_are_no_incident(before: Table, incidents: Incidents) -> None:
    Aliases(before, f"v{VERSION}").of("orders", identify(APP))
    assert [one.incident_id for one in incidents.recent()] == [f"orders-{OLD}"]
