"""One root cause, one heal: which incidents of an app come from the same line, and which of them is healed.

An error's roots are the innermost line of the app's own code that failed, and the innermost one of what
caused it. For each root there is an item in the incidents table, key `root#APP#DIGEST`, which names the
incident that is healed for it; it has no status, so that nothing takes it for an incident. As with turns,
nobody gives a root back: who wants it looks whether the one that has it still needs it.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.lifetimes import KEEP_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_STANDS = (Status.NEW, Status.HEALING, Status.AWAITING_APPROVAL, Status.PR_OPEN, Status.MERGED)
"""Statuses of an incident whose heal, or whose fix on its way, is also that of those with the same root."""
_MOST_HOPS = 5


def roots_of(incident: Incident) -> tuple[str, ...]:
    """Digests of file, function and text of the lines; none where the traceback shows no code."""
    own = [frame for frame in incident.frames if frame.in_app]
    lines = (*own[-1:], *incident.causes[-1:])
    texts = [f"{line.file}\n{line.function}\n{line.code}" for line in lines if line.code and line.function]
    return tuple(dict.fromkeys(hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts))


class Roots:
    """The roots of one app's incidents."""

    def __init__(self, table: Table, app: str) -> None:
        self._table = table
        self._app = app

    def holder(self, incident: Incident) -> str:
        """The incident that is healed, or was mended and is not deployed, for one of its roots; "" for none,
        or for itself."""
        for root in roots_of(incident):
            found = self._standing(self._named(root))
            if found and found != incident.incident_id:
                return found
        return ""

    def take(self, incident: Incident) -> str:
        """Take all its roots for an incident; "" when it has them, else the incident that is healed for one
        of them."""
        for root in roots_of(incident):
            before = self._named(root)
            if before == incident.incident_id:
                continue
            standing = self._standing(before)
            if standing and standing != incident.incident_id:
                return standing
            if not self._put(root, incident.incident_id, before):
                return self._standing(self._named(root)) or self.take(incident)
        return ""

    def _named(self, root: str) -> str:
        item = self._table.get_item(Key=self._key(root), ConsistentRead=True).get("Item", {})
        return str(item.get("holder", ""))

    def _standing(self, incident_id: str) -> str:
        """The incident whose heal an incident's is: itself, or the one that it joined; "" where none is."""
        for _ in range(_MOST_HOPS):
            if not incident_id:
                return ""
            asked = {"#status": "status", "#joined_to": "joined_to"}
            item = self._table.get_item(
                Key={"incident_id": incident_id},
                ConsistentRead=True,
                ProjectionExpression="#status, #joined_to",
                ExpressionAttributeNames=asked,
            ).get("Item", {})
            if item.get("status") in _STANDS:
                return incident_id
            incident_id = str(item.get("joined_to", "")) if item.get("status") == Status.JOINED else ""
        return ""

    def _put(self, root: str, holder: str, before: str) -> bool:
        condition = "#holder = :before" if before else "attribute_not_exists(#holder)"
        values: dict[str, Any] = {":holder": holder, ":ttl": int(time.time()) + KEEP_SECONDS}
        try:
            self._table.update_item(
                Key=self._key(root),
                UpdateExpression="SET #holder = :holder, #ttl = :ttl",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#holder": "holder", "#ttl": "ttl"},
                ExpressionAttributeValues=values | ({":before": before} if before else {}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _key(self, root: str) -> dict[str, str]:
        return {"incident_id": f"root#{self._app}#{root}"}
