"""How many heals are under way at once, of an app or of all: the others wait for their turn.

One item in the incidents table, key `turns#APP`, or `turns#` for all; it has no status, so that nothing takes
it for an incident. It names the incidents that have a turn, and nobody gives one back: who wants a turn where
there is none looks whether those who have one still need it. So none is lost when an execution dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_UNDER_WAY = ("NEW", "HEALING")
"""Statuses of incidents that need their turn: one that waits for people keeps nobody waiting."""


class Turns:
    """The turns of one app (its name), or of all (""). most: how many there are."""

    def __init__(self, table: Table, of: str, most: int) -> None:
        self._table = table
        self._key = {"incident_id": f"turns#{of}"}
        self._most = most

    def take(self, incident_id: str) -> bool:
        """Take a turn for an incident, which may have it already; False if there is none."""
        return self._add(incident_id) or (self._free(incident_id) and self._add(incident_id))

    def _add(self, incident_id: str) -> bool:
        return self._update(
            "ADD incidents :these",
            {":these": {incident_id}, ":this": incident_id, ":most": self._most},
            "attribute_not_exists(incidents) OR contains(incidents, :this) OR size(incidents) < :most",
        )

    def _free(self, incident_id: str) -> bool:
        """Take their turn from those who need it no longer; whether there were any."""
        item: dict[str, Any] = self._table.get_item(Key=self._key, ConsistentRead=True).get("Item", {})
        holders = item.get("incidents", set()) - {incident_id}
        over = {holder for holder in holders if not self._is_under_way(holder)}
        return bool(over) and self._update(
            "DELETE incidents :these", {":these": over}, "attribute_exists(incidents)"
        )

    def _is_under_way(self, incident_id: str) -> bool:
        asked: dict[str, Any] = {
            "ProjectionExpression": "#status",
            "ExpressionAttributeNames": {"#status": "status"},
        }
        found = self._table.get_item(Key={"incident_id": incident_id}, ConsistentRead=True, **asked)
        return found.get("Item", {}).get("status") in _UNDER_WAY

    def _update(self, expression: str, values: dict[str, Any], condition: str) -> bool:
        try:
            self._table.update_item(
                Key=self._key,
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True
