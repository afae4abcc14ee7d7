"""How many heals of an app may begin within an hour: who can write to its log decides how many errors it has.

One item per app and hour in the incidents table, key `heals#APP#HOUR`; it has no status, so that nothing
takes it for an incident. It names the executions, so that a retry and a redrive count once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_HOUR = 3600
_KEEP_SECONDS = 2 * 24 * _HOUR


class HourlyHeals:
    """The heals of one app in the hour (UTC) that runs now."""

    def __init__(self, table: Table, app: str, most: int) -> None:
        self._table = table
        self._most = most
        self._hour = int(time.time()) // _HOUR
        self._key = {"incident_id": f"heals#{app}#{self._hour}"}

    @property
    def ends_at(self) -> int:
        """When the next hour begins, in epoch seconds."""
        return (self._hour + 1) * _HOUR

    def begin(self, execution_arn: str) -> bool:
        """Count this execution; False if the hour has had as many as it may. The same one may begin again."""
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
                    ":most": self._most,
                    ":ttl": int(time.time()) + _KEEP_SECONDS,
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def is_first_refused(self) -> bool:
        """Whether nobody was refused in this hour before: once, for the one notification."""
        answer = self._table.update_item(
            Key=self._key,
            UpdateExpression="ADD refused :one",
            ExpressionAttributeValues={":one": 1},
            ReturnValues="UPDATED_NEW",
        )
        return int(str(answer["Attributes"]["refused"])) == 1
