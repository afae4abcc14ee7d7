"""How many heals of an app may begin within an hour or a day, and how many incidents may ask for one.

Whoever can write to its log decides how many errors there are. So that nobody keeps a real one waiting for
ever by writing new ones, what was held back in an earlier period comes first: after one that was full, a
quarter of the next is for those who waited.

One item per app and period in the incidents table, key `heals#APP#HOUR`, `heals-a-day#APP#DAY` or
`asks#APP#HOUR`; it has no status, so that nothing takes it for an incident. It names the executions, or the
incidents that ask, so that a retry and a redrive count once.
"""

from __future__ import annotations

import time
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_KEEP_SECONDS = 2 * 24 * 3600


class QuotaPeriod(Enum):
    """An hour or a day of UTC: the name of its items' keys, what people call it, and its seconds."""

    HOUR = ("heals", "hour", 3600)
    DAY = ("heals-a-day", "day", 24 * 3600)
    ASKING = ("asks", "hour", 3600)
    """Of incidents that become NEW: an execution of the workflow begins for each, if only to be held back."""

    def __init__(self, key: str, word: str, seconds: int) -> None:
        self.key, self.word, self.seconds = key, word, seconds


_FOR_THOSE_WHO_WAITED = 4
"""One in so many places."""


class HealsIn:
    """The heals of one app in the period that runs now, or what asks for some.

    waiting_since: when the incident that asks was held back first (ISO 8601), "" where it was not.
    """

    def __init__(
        self, table: Table, app: str, most: int, period: QuotaPeriod, waiting_since: str = ""
    ) -> None:
        self._table = table
        self._most = most
        self._period = period
        self._number = int(time.time()) // period.seconds
        self._prefix = f"{period.key}#{app}#"
        self._key = {"incident_id": f"{self._prefix}{self._number}"}
        began = self._number * period.seconds
        self._waited = bool(waiting_since) and datetime.fromisoformat(waiting_since).timestamp() < began

    @property
    def ends_at(self) -> int:
        """When the next period begins, in epoch seconds."""
        return (self._number + 1) * self._period.seconds

    @cached_property
    def most(self) -> int:
        """How many places there are for whoever asks."""
        if self._waited:
            return self._most
        before = {"incident_id": f"{self._prefix}{self._number - 1}"}
        was_full = "refused" in self._table.get_item(Key=before).get("Item", {})
        return self._most - (self._most // _FOR_THOSE_WHO_WAITED if was_full else 0)

    def has_room(self, execution_arn: str) -> bool:
        """Whether this execution may begin, without counting it."""
        item = self._table.get_item(Key=self._key, ConsistentRead=True).get("Item", {})
        begun: Any = item.get("executions", set())
        return execution_arn in begun or len(begun) < self.most

    def begin(self, execution_arn: str) -> bool:
        """Count this execution; False if the period has had as many as it may. The same may begin again."""
        try:
            self._table.update_item(
                Key=self._key,
                UpdateExpression="ADD executions :these SET #ttl = :ttl",
                ConditionExpression="attribute_not_exists(executions) OR contains(executions, :this)"
                " OR size(executions) < :most",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":these": {execution_arn},
                    ":this": execution_arn,
                    ":most": self.most,
                    ":ttl": int(time.time()) + _KEEP_SECONDS,
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def is_first_refused(self) -> bool:
        """Whether nobody was refused in this period before: once, for the one notification."""
        answer = self._table.update_item(
            Key=self._key,
            UpdateExpression="ADD refused :one",
            ExpressionAttributeValues={":one": 1},
            ReturnValues="UPDATED_NEW",
        )
        return int(str(answer["Attributes"]["refused"])) == 1
