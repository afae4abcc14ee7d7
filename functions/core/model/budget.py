"""What an app may spend on models in a day and in a month: checked before each call, with its worst cost.

One item per app and period in the incidents table, key `budget#APP#2026-11-30` or `budget#APP#2026-11`; it
has no status, so that nothing takes it for an incident. Amounts are whole millionths of a USD. `committed` is
what was spent plus what running calls may still cost; a call that dies before it is settled stays committed:
rather spend too little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, Self

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from functions.core.apps.app import App

_KEEP_SECONDS = 40 * 24 * 3600
_MILLION = 1_000_000


class Period(Enum):
    """A day or a month of UTC: how its items' keys end, what people call it, and the field of the entry."""

    DAY = ("%Y-%m-%d", "day", "daily_budget_usd")
    MONTH = ("%Y-%m", "month", "monthly_budget_usd")

    def __init__(self, form: str, word: str, field: str) -> None:
        self.form, self.word, self.field = form, word, field

    def ends_at(self, now: datetime) -> int:
        """When the next one begins, in epoch seconds."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if self is Period.DAY:
            return int((midnight + timedelta(days=1)).timestamp())
        return int((midnight.replace(day=28) + timedelta(days=4)).replace(day=1).timestamp())


class OverBudget(Exception):
    """The call could take the app over a budget. It was not made.

    period: whose budget; ends_at: when there is another one, in epoch seconds, 0 where the call is beyond
    any.
    """

    def __init__(self, message: str, period: Period = Period.DAY, ends_at: int = 0) -> None:
        super().__init__(message)
        self.period = period
        self.ends_at = ends_at


@dataclass(slots=True)
class Commitment:
    """What a running call may cost; set `cost_usd` to what it did cost."""

    cost_usd: float


class Commits(Protocol):
    """What says whether a call may be paid for: `Budget`, or several of them."""

    def commit(self, worst_usd: float) -> AbstractContextManager[Commitment]: ...


class Budget:
    """The budget of one app and period that runs now. Safe with any number of heals at the same time."""

    def __init__(self, table: Table, app: str, ceiling_usd: float, period: Period = Period.DAY) -> None:
        self._table = table
        self._period = period
        now = datetime.fromtimestamp(time.time(), UTC)
        self._now = now.strftime(period.form)
        self._ends_at = period.ends_at(now)
        self._app = app
        self._key = {"incident_id": f"budget#{app}#{self._now}"}
        self._ceiling_usd = ceiling_usd

    @contextmanager
    def commit(self, worst_usd: float) -> Iterator[Commitment]:
        """Hold the worst case of a call, and settle for what it cost; 0 if it raises.

        Raises OverBudget when that would exceed the ceiling. A ceiling that was lowered counts at once.
        """
        worst = _millionths(worst_usd)
        self._reserve(worst, worst_usd)
        commitment = Commitment(cost_usd=0.0)
        try:
            yield commitment
        finally:
            spent = _millionths(commitment.cost_usd)
            self._add({":change": spent - worst, ":spent": spent}, "ADD committed :change, spent :spent")

    def _reserve(self, worst: int, worst_usd: float) -> None:
        room = _millionths(self._ceiling_usd) - worst
        try:
            if room < 0:
                raise OverBudget(self._refusal(worst_usd), self._period)
            self._add(
                {":change": worst, ":room": room, ":ttl": int(time.time()) + _KEEP_SECONDS},
                "ADD committed :change SET #ttl = :ttl",
                ConditionExpression="attribute_not_exists(committed) OR committed <= :room",
                ExpressionAttributeNames={"#ttl": "ttl"},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise OverBudget(self._refusal(worst_usd), self._period, self._ends_at) from None

    def _add(self, values: dict[str, int], expression: str, **conditions: Any) -> None:
        self._table.update_item(
            Key=self._key, UpdateExpression=expression, ExpressionAttributeValues=values, **conditions
        )

    def _refusal(self, worst_usd: float) -> str:
        item = self._table.get_item(Key=self._key, ConsistentRead=True).get("Item", {})
        committed = float(str(item.get("committed", 0))) / _MILLION
        return (
            f"the budget of app {self._app!r} for {self._now} is ${self._ceiling_usd:.2f}, of which"
            f" ${committed:.2f} is committed; this call may cost up to ${worst_usd:.2f}"
        )


class Budgets:
    """Several budgets, each of which must have room. What one refuses is not held by the others."""

    def __init__(self, *budgets: Budget) -> None:
        self._budgets = budgets

    @classmethod
    def of(cls, app: App, table: Table) -> Self:
        """An app's, of the month and of the day."""
        month = Budget(table, app.entry, app.monthly_budget_usd, Period.MONTH)
        return cls(month, Budget(table, app.entry, app.daily_budget_usd, Period.DAY))

    @contextmanager
    def commit(self, worst_usd: float) -> Iterator[Commitment]:
        """As `Budget.commit`."""
        with ExitStack() as held:
            each = [held.enter_context(budget.commit(worst_usd)) for budget in self._budgets]
            total = Commitment(cost_usd=0.0)
            try:
                yield total
            finally:
                for commitment in each:
                    commitment.cost_usd = total.cost_usd


def _millionths(usd: float) -> int:
    return round(usd * _MILLION)
