"""The budget of an app and day: checked before the call, exact under concurrency, settled after it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from functions.core.apps.app import App
from functions.core.incidents.table import Incidents
from functions.core.model.budget import Budget, Budgets, Commitment, OverBudget, Period

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def test_a_call_is_settled_for_what_it_cost(incidents_table: Table) -> None:
    budget = Budget(incidents_table, "orders", 1.0)
    for _ in range(3):
        with budget.commit(0.9) as commitment:
            commitment.cost_usd = 0.03
    with pytest.raises(OverBudget), budget.commit(0.92):
        pass
    with budget.commit(0.91) as commitment:
        commitment.cost_usd = 0.91


def test_the_refusal_says_what_is_left(incidents_table: Table) -> None:
    budget = Budget(incidents_table, "orders", 1.0)
    with (
        budget.commit(0.6),
        pytest.raises(OverBudget, match=r"\$1\.00.*\$0\.60 is committed.*up to \$0\.50"),
        budget.commit(0.5),
    ):
        pass


def test_a_call_that_fails_costs_nothing(incidents_table: Table) -> None:
    budget = Budget(incidents_table, "orders", 1.0)
    with pytest.raises(ValueError, match="throttled"), budget.commit(1.0):
        raise ValueError("throttled")
    with budget.commit(1.0):
        pass


def test_a_ceiling_of_zero_allows_no_call(incidents_table: Table) -> None:
    with pytest.raises(OverBudget), Budget(incidents_table, "orders", 0.0).commit(0.01):
        pass


def test_apps_have_budgets_of_their_own(incidents_table: Table) -> None:
    with (
        Budget(incidents_table, "orders", 1.0).commit(1.0),
        Budget(incidents_table, "billing", 1.0).commit(1.0),
    ):
        pass


@pytest.mark.usefixtures("atomic_table")
def test_concurrent_heals_together_stay_below_the_ceiling(incidents_table: Table) -> None:
    held: list[AbstractContextManager[Commitment]] = []

    def hold(_: int) -> bool:
        commitment = Budget(incidents_table, "orders", 1.0).commit(0.25)
        try:
            commitment.__enter__()
        except OverBudget:
            return False
        held.append(commitment)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hold, range(12))) == 4
    for commitment in held:
        commitment.__exit__(None, None, None)


def test_a_budget_is_no_incident(incidents_table: Table) -> None:
    with Budget(incidents_table, "orders", 1.0).commit(0.1):
        pass
    assert list(Incidents(incidents_table).recent()) == []
    item = incidents_table.scan()["Items"][0]
    assert "status" not in item
    assert int(str(item["ttl"])) > time.time()


def entry(daily_budget_usd: float, monthly_budget_usd: float) -> App:
    return App(
        "orders",
        ("/aws/lambda/orders",),
        "https://github.com/shop/orders.git",
        daily_budget_usd=daily_budget_usd,
        monthly_budget_usd=monthly_budget_usd,
    )


@pytest.mark.parametrize(
    ("budgets", "period"),
    [
        ({"daily_budget_usd": 0.1, "monthly_budget_usd": 5.0}, Period.DAY),
        ({"daily_budget_usd": 5.0, "monthly_budget_usd": 0.1}, Period.MONTH),
    ],
    ids=["day", "month"],
)
def test_the_smaller_of_day_and_month_refuses_and_says_which(
    budgets: dict[str, float], period: Period, incidents_table: Table
) -> None:
    with pytest.raises(OverBudget) as refused, Budgets.of(entry(**budgets), incidents_table).commit(0.2):
        pass

    assert refused.value.period is period
    assert not refused.value.ends_at, "no day and no month ever pays for it"


@pytest.mark.parametrize(
    ("period", "now", "ends"),
    [
        (Period.DAY, "2026-11-30T12:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        (Period.MONTH, "2026-11-30T12:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        (Period.MONTH, "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        (Period.MONTH, "2027-01-31T23:59:59+00:00", "2027-02-01T00:00:00+00:00"),
        (Period.MONTH, "2027-02-28T08:00:00+00:00", "2027-03-01T00:00:00+00:00"),
    ],
)
def test_a_budget_that_is_used_up_says_when_there_is_another(
    period: Period, now: str, ends: str, incidents_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", datetime.fromisoformat(now).timestamp)
    budget = Budget(incidents_table, "orders", 1.0, period)
    with budget.commit(0.9), pytest.raises(OverBudget) as refused, budget.commit(0.2):
        pass

    assert refused.value.ends_at == datetime.fromisoformat(ends).timestamp()


def test_what_is_spent_counts_for_day_and_month_and_what_is_refused_for_none(incidents_table: Table) -> None:
    budgets = Budgets.of(entry(daily_budget_usd=1.0, monthly_budget_usd=1.5), incidents_table)
    with budgets.commit(0.9) as commitment:
        commitment.cost_usd = 0.8
    with pytest.raises(OverBudget), budgets.commit(0.3):  # the day has 0.2 left
        pass
    # Whatever a later day has: the month holds what was spent, and nothing of what was refused.
    later = Budgets.of(entry(daily_budget_usd=9.0, monthly_budget_usd=1.5), incidents_table)
    with later.commit(0.7):
        pass
    with pytest.raises(OverBudget), later.commit(0.71):
        pass
