"""What an app may spend on models per day, checked before each call with the worst that the call can cost.

One item per app and day in the incidents table, key `budget#APP#DAY`; it has no status, so that nothing
takes it for an incident. Amounts are whole millionths of a USD. `committed` is what was spent plus what
running calls may still cost; a call that dies before it is settled stays committed: rather spend too little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_KEEP_SECONDS = 40 * 24 * 3600
_MILLION = 1_000_000


class OverBudget(Exception):
    """The call could take the app over its budget of the day. It was not made."""


@dataclass(slots=True)
class Commitment:
    """What a running call may cost; set `cost_usd` to what it did cost."""

    cost_usd: float


class Commits(Protocol):
    """What says whether a call may be paid for: `Budget`."""

    def commit(self, worst_usd: float) -> AbstractContextManager[Commitment]: ...


class Budget:
    """The budget of one app and day (UTC). Safe with any number of heals at the same time."""

    def __init__(self, table: Table, app: str, ceiling_usd: float) -> None:
        self._table = table
        self._day = time.strftime("%Y-%m-%d", time.gmtime())
        self._app = app
        self._key = {"incident_id": f"budget#{app}#{self._day}"}
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
                raise OverBudget(self._refusal(worst_usd))
            self._add(
                {":change": worst, ":room": room, ":ttl": int(time.time()) + _KEEP_SECONDS},
                "ADD committed :change SET #ttl = :ttl",
                ConditionExpression="attribute_not_exists(committed) OR committed <= :room",
                ExpressionAttributeNames={"#ttl": "ttl"},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise OverBudget(self._refusal(worst_usd)) from None

    def _add(self, values: dict[str, int], expression: str, **conditions: Any) -> None:
        self._table.update_item(
            Key=self._key, UpdateExpression=expression, ExpressionAttributeValues=values, **conditions
        )

    def _refusal(self, worst_usd: float) -> str:
        item = self._table.get_item(Key=self._key, ConsistentRead=True).get("Item", {})
        committed = float(str(item.get("committed", 0))) / _MILLION
        return (
            f"the budget of app {self._app!r} for {self._day} is ${self._ceiling_usd:.2f}, of which"
            f" ${committed:.2f} is committed; this call may cost up to ${worst_usd:.2f}"
        )


def _millionths(usd: float) -> int:
    return round(usd * _MILLION)
