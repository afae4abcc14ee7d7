"""`incidents`: every filter over a table of many pages, and nothing left out in silence."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.incidents.incident import ErrorClass, Incident, Status
from infra.cli import selection
from infra.cli.options import choice
from infra.cli.selection import Sort
from infra.errors import UserError
from tests.unit.cli.conftest import Selfheal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from infra.target import Target

MANY = 10_200
PAGES = 250
"""As many of the many as fill more than one page of DynamoDB's, of 1 MB."""
APPS = ("orders", "billing", "search")


def made(number: int) -> dict[str, Any]:
    """The n-th of many incidents; every attribute that is filtered has a period of its own."""
    app = APPS[number % 3]
    return {
        "incident_id": f"{app}-v1-{number:05}",
        "fingerprint": f"v1-{number:05}",
        "app": app,
        "status": str(list(Status)[number // 3 % len(Status)]),
        "error_class": str(list(ErrorClass)[number // 36 % len(ErrorClass)]),
        "error_type": "KeyError",
        "title": f"KeyError: 'country-{number % 11}'",
        "place": f"/var/task/{app}/rates{number % 5}.py rate",
        "reason": "nobody decided" * 400,
        "occurrences": number % 13,
        "first_seen": f"2026-{number % 12 + 1:02}-01T00:00:00.000+00:00",
        "last_seen": f"2026-10-{number % 28 + 1:02}T{number % 24:02}:00:00.{number % 1000:03}+00:00",
    }


@pytest.fixture(scope="module")
def many() -> list[dict[str, Any]]:
    return [made(number) for number in range(MANY)]


@pytest.fixture
def full(incidents_table: Table, many: list[dict[str, Any]]) -> None:
    with incidents_table.batch_writer() as batch:
        for item in many[:PAGES]:
            batch.put_item(Item=item)
        # What shares the table without being an incident.
        batch.put_item(Item={"incident_id": "budget#orders#2026-10-01", "committed": 7})


def test_the_list_goes_through_all_pages_of_the_table(
    full: None, many: list[dict[str, Any]], selfheal: Selfheal, incidents_table: Table
) -> None:
    assert "LastEvaluatedKey" in incidents_table.scan(IndexName="by_app"), "one page would prove nothing"
    for options, expected in (
        ((), many[:PAGES]),
        (("--app", "orders", "--status", "FAILED"), [row for row in many[:PAGES] if failed_order(row)]),
    ):
        listed = selfheal("incidents", *options, "--all", "--json").document
        assert expected
        assert {row["incident_id"] for row in listed["incidents"]} == {row["incident_id"] for row in expected}
        assert listed["total"] == listed["shown"] == sum(listed["by_status"].values()) == len(expected)


def failed_order(row: dict[str, Any]) -> bool:
    return bool(row["app"] == "orders" and row["status"] == "FAILED")


FILTERS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "none": ({}, lambda row: True),
    "an app": ({"apps": ["orders"]}, lambda row: row["app"] == "orders"),
    "two apps": ({"apps": ["orders", "search"]}, lambda row: row["app"] != "billing"),
    "a status": ({"status": ["failed"]}, lambda row: row["status"] == "FAILED"),
    "two statuses": (
        {"status": ["FAILED", "pr-open"]},
        lambda row: row["status"] in ("FAILED", "PR_OPEN"),
    ),
    "what is open": ({"status": ["open"]}, lambda row: Status(row["status"]).is_open),
    "a class": ({"error_class": ["timeout"]}, lambda row: row["error_class"] == "timeout"),
    "since": ({"since": "2026-10-15T00:00+00:00"}, lambda row: row["last_seen"] >= "2026-10-15"),
    "not since": ({"older_than": "2026-10-02T00:00+00:00"}, lambda row: row["last_seen"] < "2026-10-02"),
    "a word": ({"search": "COUNTRY-10"}, lambda row: row["title"].endswith("country-10'")),
    "two words, of which one is elsewhere": (
        {"search": "rates4.py billing-v1"},
        lambda row: row["place"].endswith("rates4.py rate") and row["app"] == "billing",
    ),
    "all at once": (
        {"apps": ["billing"], "status": ["closed"], "error_class": ["code"], "search": "rates0"},
        lambda row: (
            row["app"] == "billing"
            and not Status(row["status"]).is_open
            and row["error_class"] == "code"
            and "rates0" in row["place"]
        ),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_exactly_what_it_says_among_ten_thousand(
    name: str, many: list[dict[str, Any]]
) -> None:
    options, expected = FILTERS[name]
    rows = [Incident.from_item(row) for row in many]
    found = selection.select(rows, selection.filter_of(**options))
    wanted = {row["incident_id"] for row in many if expected(row)}
    assert wanted
    assert {incident.incident_id for incident in found.shown} == wanted
    assert found.total == len(wanted)


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (Sort.OPEN, lambda i: (i.status.is_open, i.last_seen)),
        (Sort.LAST, lambda i: i.last_seen),
        (Sort.FIRST, lambda i: (i.first_seen, i.last_seen)),
        (Sort.OCCURRENCES, lambda i: (i.occurrences, i.last_seen)),
    ],
)
def test_an_order_goes_down_and_equals_are_the_most_recently_seen_first(
    sort: Sort, key: Callable[[Any], Any], many: list[dict[str, Any]]
) -> None:
    rows = [Incident.from_item(row) for row in many]
    keys = [key(incident) for incident in selection.select(rows, selection.Filter(), sort).shown]
    assert all(one >= next_ for one, next_ in itertools.pairwise(keys))


def test_what_is_open_comes_first_with_its_place_and_the_rest_is_counted(
    put: Callable[..., str], selfheal: Selfheal
) -> None:
    for number in range(60):
        put(number, status="RESOLVED", last_seen=f"2026-11-29T10:00:00.{number:03}+00:00")
    waiting = put(99, status="AWAITING_APPROVAL", last_seen="2026-01-01T00:00:00.000+00:00")
    shown = selfheal("incidents", "--limit", "3")
    lines = shown.stdout.splitlines()
    assert lines[1].startswith(waiting)
    assert "rates.py rate" in lines[1]
    assert "61 incidents: 1 AWAITING_APPROVAL, 60 RESOLVED; 58 of them are not shown: --all" in shown.text
    assert "not shown" not in selfheal("incidents", "--all").text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--app", "ordres"), "did you mean orders?"),
        (("--status", "FAILD"), "did you mean FAILED?"),
        (("--class", "timout"), "did you mean timeout?"),
        (("--since", "yesterday"), "an age such as 30min"),
        (("--watch", "--json"), "exclude each other"),
    ],
)
def test_a_name_that_does_not_exist_is_an_error_with_the_nearest(
    options: tuple[str, ...],
    said: str,
    put: Callable[..., str],
    register: Callable[..., None],
    selfheal: Selfheal,
) -> None:
    register("orders")
    put()
    ran = selfheal("incidents", *options)
    assert (ran.exit_code, said in ran.text) == (2, True), ran.text


def test_an_app_without_incidents_is_known_when_it_is_registered(
    register: Callable[..., None], selfheal: Selfheal
) -> None:
    register("quiet")
    ran = selfheal("incidents", "--app", "quiet")
    assert (ran.exit_code, "No incident matches" in ran.text) == (0, True)


def test_an_incident_is_found_by_its_first_characters_and_an_unknown_one_by_its_nearest(
    put: Callable[..., str], selfheal: Selfheal, target: Target
) -> None:
    known = put(12345)
    put(12399)
    assert target.incident("orders-v1-1234").incident_id == known
    for prefix, said in (
        ("orders-v1-123", "means 2 incidents"),
        ("orders-v1-12354", f"mean {known}"),
        ("ordres-v1-12", f"mean {known} or orders-v1-12399?"),
        # As a message named it before its app was renamed.
        ("shop-v1-12345", f"selfheal show {known}"),
    ):
        with pytest.raises(UserError) as error:
            target.incident(prefix)
        assert said in f"{error.value.what} {error.value.next_step}"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("occurences", "did you mean occurrences?"),
        ("x", "choose one of: open, last, first, occurrences, app"),
    ],
)
def test_a_word_that_is_none_of_a_few_is_answered_with_the_nearest_or_all(given: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        choice("order", Sort)["parser"](given)
    assert (refused.value.what, refused.value.next_step) == (f"no order {given!r}", told)


@pytest.mark.parametrize("text", ["999999w", "0001-01-01", "9999-12-31T23:59:59-23:59", "soon"])
def test_a_time_that_no_clock_shows_is_refused_and_no_error_of_ours(text: str, selfheal: Selfheal) -> None:
    ran = selfheal("incidents", "--since", text)
    assert (ran.exit_code, "is no time" in ran.text) == (2, True), ran.text
