"""The breaker: whether so many new incidents of an app come at once that people are asked first.

A release that breaks many things has one cause, and is better rolled back than mended in fifty places.

One item per app and quarter of an hour in the incidents table, key `storm#APP#WINDOW`; it has no status, so
that nothing takes it for an incident. It names the incidents that asked to be healed, up to one more than
make a storm. A storm goes on until a whole window has had no more than it may.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

WINDOW_SECONDS = 15 * 60
_KEEP_SECONDS = 2 * 24 * 3600


@dataclass(frozen=True, slots=True)
class _Window:
    """What one item says. began: the first window of the storm that it belongs to; 0 while it has none."""

    asked: int
    began: int


class Storm:
    """The breaker of one app. most: how many new incidents within a window are no storm yet."""

    def __init__(self, table: Table, app: str, most: int) -> None:
        self._table = table
        self._app = app
        self._most = most
        self._now = int(time.time()) // WINDOW_SECONDS

    def joined_by(self, incident_id: str) -> int:
        """Count an incident that asks to be healed, once: when the storm began that it is part of (epoch
        seconds), 0 where there is none."""
        here, before = self._add(incident_id), self._read(self._now - 1)
        rages_still = before.asked > self._most
        if here.asked <= self._most and not rages_still:
            return 0
        began = before.began if rages_still else self._now
        if here.began != began:
            self._write("SET began = :began", {":began": began})
        return began * WINDOW_SECONDS

    def is_news(self, began: int) -> bool:
        """Whether nobody was told of the storm that began then: true once."""
        return bool(
            self._write(
                "SET told = :yes", {":yes": True}, "attribute_not_exists(told)", began // WINDOW_SECONDS
            )
        )

    def _add(self, incident_id: str) -> _Window:
        """The window that runs now, with the incident in it if it has room."""
        added = self._write(
            "ADD asked :these SET #ttl = :ttl",
            {":these": {incident_id}, ":most": self._most, ":ttl": int(time.time()) + _KEEP_SECONDS},
            "attribute_not_exists(asked) OR size(asked) <= :most",
        )
        return self._read(self._now) if added is None else _window(added)

    def _read(self, number: int) -> _Window:
        return _window(self._table.get_item(Key=self._key(number), ConsistentRead=True).get("Item", {}))

    def _write(
        self, expression: str, values: dict[str, Any], condition: str = "", number: int | None = None
    ) -> dict[str, Any] | None:
        """The item as it is afterwards; None where the condition did not hold."""
        asked: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        if "#ttl" in expression:
            asked["ExpressionAttributeNames"] = {"#ttl": "ttl"}
        try:
            answer = self._table.update_item(
                Key=self._key(self._now if number is None else number),
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                **asked,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return None
        return answer["Attributes"]

    def _key(self, number: int) -> dict[str, str]:
        return {"incident_id": f"storm#{self._app}#{number}"}


def _window(item: dict[str, Any]) -> _Window:
    return _Window(len(item.get("asked", ())), int(str(item.get("began", 0))))
