"""`selfheal stats`: what came of the heals, with honest denominators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.core.approval.approvals import Approval
from functions.core.incidents.incident import ErrorClass, Incident, Status
from infra.stats import Record, counts, hours, reasons, to_json, usd_per_merged

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Selfheal

SEEN = "2026-11-20T10:00:00+00:00"
BASE = Incident(
    *("orders-v1-1", "v1-1", "orders", Status.ABSTAINED, "KeyError", "KeyError"),
    attempts=1,
    cost_usd=0.5,
    first_seen=SEEN,
)
ASKED = Approval(
    *("ap", "orders-v1-1", "orders", "h", "arn", 1, 0, "p", "b", "patch", "evidence", "proposal", 0),
    created_at="2026-11-20T11:00:00+00:00",
)
APPROVED = replace(ASKED, decision="approve", decided_at="2026-11-20T12:00:00+00:00")
PULL: dict[str, Any] = {"pull_request_url": "https://forge/o/r/pull/1", "commit_sha": "c" * 40}

RECORDS = [
    Record(replace(BASE, attempts=0, status=Status.SUPPRESSED, cost_usd=0), (), None),
    Record(replace(BASE, reason="dependency: the library is old"), (), None),
    Record(replace(BASE, reason="No patch could be proven in any of 3 attempts. The last: x"), (), None),
    Record(replace(BASE, status=Status.AWAITING_APPROVAL, error_class=ErrorClass.EXTERNAL), (ASKED,), 0.95),
    Record(replace(BASE, status=Status.REJECTED, **PULL), (APPROVED,), 0.6),
    Record(
        replace(
            BASE,
            status=Status.RESOLVED,
            merged_at="2026-11-20T14:00:00+00:00",
            updated_at="2026-11-22T10:00:00+00:00",
            regressed_from="https://forge/o/r/pull/0",
            **PULL,
        ),
        (APPROVED, ASKED),
        0.6,
    ),
]


def test_each_heal_is_counted_as_far_as_it_came() -> None:
    assert counts(RECORDS) == {
        "begun": 5,
        "shown": 3,
        "approved": 2,
        "opened": 2,
        "merged": 1,
        "closed": 1,
        "regressed": 1,
    }


def test_abstentions_are_told_apart_by_reason() -> None:
    assert reasons(RECORDS) == {"dependency": 1, "no patch could be proven": 1}


def test_times_are_medians_from_the_first_line() -> None:
    assert hours(RECORDS) == {"question": 1.0, "decision": 2.0, "merge": 4.0, "gone": 48.0}
    soon = replace(ASKED, created_at="2026-11-20T10:00:09.400+00:00")
    seconds = 3600 * (hours([Record(BASE, (soon,), 0.9)])["question"] or 0)
    assert abs(seconds - 9.4) < 0.2, "nothing that took seconds took none"
    assert hours([]) == dict.fromkeys(("question", "decision", "merge", "gone"))


def test_a_merged_fix_costs_what_came_to_nothing_too() -> None:
    assert usd_per_merged(RECORDS) == 2.5
    assert usd_per_merged(RECORDS[:3]) is None


def test_groups_add_up_to_all() -> None:
    found = to_json(RECORDS)
    for name in ("by_app", "by_class", "by_confidence"):
        assert sum(row["begun"] for row in found[name].values()) == 5
    assert list(found["by_confidence"]) == ["50-70 %", "90-100 %", "not shown"]


def test_the_command_says_of_how_many_each_share_is(
    put: Callable[..., str], register: Callable[..., None], selfheal: Selfheal
) -> None:
    register("orders")
    put(1, status="ABSTAINED", attempts=1, reason="data: wrong")
    put(2, status="HEALING", attempts=1)
    shown = selfheal("stats")
    # On a narrow terminal the cell is broken between its words.
    assert "0 (0% of" in shown.text
    assert "data 1" in shown.text
    assert selfheal("stats", "--json").document["counts"]["begun"] == 2
    assert "median time from the first line: nobody was asked so far" in shown.text
    unknown = selfheal("stats", "--app", "ordes")
    assert (unknown.exit_code, "did you mean orders?" in unknown.text) == (2, True)
