"""The incidents table. Every write is conditional, so that steps may run twice and events may come late."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.incidents.concurrency import Turns
from functions.core.incidents.frequency import Frequency
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.quota import HealsIn, QuotaPeriod
from functions.core.incidents.roots import Roots
from functions.core.incidents.storm import Storm
from functions.core.workflow.errors import IncidentNotFound
from functions.core.workflow.lifetimes import KEEP_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

LISTED = (
    *("fingerprint", "status", "error_type", "title", "error_class", "class_reason", "place", "occurrences"),
    *("first_seen", "generation", "execution_arn", "approval_id", "attempts", "cost_usd", "regressed_from"),
    *("patch_sha256", "branch", "pull_request_url", "reason", "next_action", "redrivable_until"),
)
"""What lists show beside the keys: all that the index `by_app` holds of an incident."""

MOST_JOINED = 300
"""Listed with the incident that they joined. Whoever writes to the log decides how many join, and an item
beyond 400 KB can be written no more, so that its heal would fail for good.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


class Incidents:
    """The table behind all incidents."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, incident_id: str) -> Incident:
        """Read one incident, consistently. Raises IncidentNotFound."""
        item = self._table.get_item(Key={"incident_id": incident_id}, ConsistentRead=True).get("Item")
        # Other items of the table have no status.
        if not item or "status" not in item:
            raise IncidentNotFound(f"no incident {incident_id!r} in table {self._table.name}")
        return Incident.from_item(item)

    @property
    def frequency(self) -> Frequency:
        """How often incidents were seen over time; it is kept in the same table."""
        return Frequency(self._table)

    def heals_in(self, period: QuotaPeriod, app: str, most: int, waiting_since: str) -> HealsIn:
        """How many of the app's heals began in a period that runs now; it is counted in the same table."""
        return HealsIn(self._table, app, most, period, waiting_since)

    def storm(self, app: str, most: int) -> Storm:
        """Whether too many new incidents of the app come at once; it is kept in the same table."""
        return Storm(self._table, app, most)

    def turns(self, of: str, most: int) -> Turns:
        """Who is under way at once, of an app or of all; it is kept in the same table."""
        return Turns(self._table, of, most)

    def claim(self, incident_id: str, execution_arn: str) -> Incident | None:
        """Claim a NEW incident for an execution. The same execution may claim again; None for any other."""
        return self._update(
            incident_id,
            {
                "status": str(Status.HEALING),
                "execution_arn": execution_arn,
                "reason": "",
                "next_action": "",
                "waiting_since": "",
            },
            condition="#status = :new OR #execution_arn = :mine",
            values={":new": str(Status.NEW), ":mine": execution_arn},
        )

    def advance(self, incident_id: str, execution_arn: str, **attributes: Any) -> Incident | None:
        """Set attributes on behalf of the execution that owns the incident; None if another one owns it."""
        return self._update(
            incident_id,
            attributes,
            condition="#execution_arn = :mine",
            values={":mine": execution_arn},
        )

    def fail(
        self,
        incident_id: str,
        execution_arn: str,
        event_id: str,
        reason: str,
        next_action: str,
        redrivable_until: str = "",
    ) -> Incident | None:
        """Mark a heal as FAILED once per event; None if the event was handled or the heal is over anyway."""
        over = (
            *(Status.PR_OPEN, Status.MERGED, Status.RESOLVED, Status.ABSTAINED, Status.REJECTED),
            *(Status.DIAGNOSED, Status.PROPOSED),
        )
        values = {f":over{i}": str(status) for i, status in enumerate(over)}
        return self._update(
            incident_id,
            {
                "status": str(Status.FAILED),
                "reason": reason,
                "next_action": next_action,
                "redrivable_until": redrivable_until,
                "failure_event": event_id,
                "execution_arn": execution_arn,
            },
            condition=(
                "(#execution_arn = :mine OR #status = :new)"
                " AND (attribute_not_exists(#failure_event) OR #failure_event <> :failure_event)"
                f" AND NOT #status IN ({', '.join(values)})"
            ),
            values=values | {":mine": execution_arn, ":new": str(Status.NEW)},
        )

    def give(self, incident_id: str, app: str) -> Incident | None:
        """Have it be another app's, or the same one's by its new name; None if it is gone."""
        return self._update(incident_id, {"app": app}, condition="attribute_exists(#incident_id)", values={})

    def roots(self, app: str) -> Roots:
        """Which of an app's incidents is healed for a root cause; it is kept in the same table."""
        return Roots(self._table, app)

    def join(self, incident: Incident, other_id: str) -> Incident | None:
        """Have a NEW incident healed with another one; None if it is NEW no longer. Beyond MOST_JOINED it is
        not listed there, and ends with that one all the same."""
        self.list_joined(incident.incident_id, other_id)
        return self.transition(
            incident.incident_id,
            Status.NEW,
            status=str(Status.JOINED),
            joined_to=other_id,
            reason=f"the same line fails as in {other_id}, whose heal is its heal too",
            next_action=f"Look at that one: selfheal show {other_id}",
        )

    def list_joined(self, incident_id: str, other_id: str) -> None:
        """Have an incident that joined another one listed there, once, up to MOST_JOINED."""
        self._update(
            other_id,
            {},
            condition="attribute_not_exists(#joined)"
            " OR (size(#joined) < :most AND NOT contains(#joined, :one))",
            values={
                ":none": [],
                ":one": incident_id,
                ":these": [incident_id],
                ":most": MOST_JOINED,
            },
            also="#joined = list_append(if_not_exists(#joined, :none), :these)",
        )

    def joined_with(self, incident: Incident, most: int) -> list[Incident]:
        """Those that are healed with an incident now, others have left since; the first `most` of them, so
        that whoever forges errors by the hundred takes nobody's place who was there before."""
        found: list[Incident] = []
        for other_id in incident.joined:
            with contextlib.suppress(IncidentNotFound):
                other = self.get(other_id)
                if other.joined_to == incident.incident_id:
                    found.append(other)
            if len(found) == most:
                break
        return found

    def start_over(self, over: Incident) -> Incident | None:
        """Make an incident whose heal is over NEW once more, which starts another heal on a branch of its
        own; None if it has changed in the meantime."""
        anew = {"execution_arn": "", "next_action": "", "attempts": 0, "cost_usd": 0, "held_until": 0}
        anew |= {"follow_up": {}, "follow_ups": 0, "by_hand": True}
        return self._as_it_was(
            over, {"status": str(Status.NEW), "generation": over.generation + 1, "reason": "", **anew}
        )

    def clear(self, over: Incident, reason: str) -> Incident | None:
        """Take an incident whose heal is over for resolved, so that a recurrence is NEW, as its next
        generation; None if it has changed in the meantime."""
        return self._as_it_was(over, {"status": str(Status.RESOLVED), "reason": reason, "next_action": ""})

    def _as_it_was(self, was: Incident, attributes: dict[str, Any]) -> Incident | None:
        return self._update(
            was.incident_id,
            attributes,
            condition="#status = :was AND #generation = :old",
            values={":was": str(was.status), ":old": was.generation},
        )

    def transition(self, incident_id: str, old: Status, **attributes: Any) -> Incident | None:
        """Set attributes if the incident still has status `old`; None if not."""
        return self._update(incident_id, attributes, condition="#status = :old", values={":old": str(old)})

    def recent(self, app: str | None = None, limit: int = 100) -> Sequence[Incident]:
        """The most recently seen incidents first, of one app or of all; with what is LISTED of them."""
        if app:
            rows = self._pages(limit, self._table.query, **_of_app(app), ScanIndexForward=False)
            return [Incident.from_item(row) for row in rows]
        return sorted(self.every(), key=lambda incident: incident.last_seen, reverse=True)[:limit]

    def every(self, *apps: str) -> list[Incident]:
        """All incidents, of these apps or of all, in no order; with what is LISTED of them."""
        if not apps:
            # The index holds incidents alone; other items, such as an app's budget of a day, have no app.
            rows = self._pages(None, self._table.scan, IndexName="by_app")
        else:
            rows = [row for app in apps for row in self._pages(None, self._table.query, **_of_app(app))]
        return [Incident.from_item(row) for row in rows]

    def ids(self) -> list[str]:
        """The ids of all incidents."""
        asked = {"IndexName": "by_app", "ProjectionExpression": "incident_id"}
        return [row["incident_id"] for row in self._pages(None, self._table.scan, **asked)]

    def open_pull_requests(self, app: str) -> Sequence[Incident]:
        """The app's incidents that wait for their pull request to be merged."""
        return self.with_status(app, Status.PR_OPEN)

    def with_status(self, app: str, status: Status) -> Sequence[Incident]:
        """All of the app's incidents that have this status, with what is LISTED of them."""
        asked = _of_app(app)
        asked["ExpressionAttributeNames"]["#status"] = "status"
        asked["ExpressionAttributeValues"][":status"] = str(status)
        rows = self._pages(None, self._table.query, **asked, FilterExpression="#status = :status")
        return [Incident.from_item(row) for row in rows]

    def _pages(self, limit: int | None, read: Callable[..., Any], **asked: Any) -> list[dict[str, Any]]:
        """The rows of all pages, or of as many as hold `limit` rows: a page ends at 1 MB anyway."""
        rows: list[dict[str, Any]] = []
        while True:
            page = read(**asked, **({"Limit": limit - len(rows)} if limit else {}))
            rows += page["Items"]
            if "LastEvaluatedKey" not in page or (limit and len(rows) >= limit):
                return rows
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _update(
        self,
        incident_id: str,
        attributes: dict[str, Any],
        *,
        condition: str,
        values: dict[str, Any],
        also: str = "",
    ) -> Incident | None:
        attributes = {**attributes, "updated_at": utc_now(), "ttl": int(time.time()) + KEEP_SECONDS}
        asked = ("status", "execution_arn", "generation", "joined")
        names = ["incident_id", *(name for name in asked if f"#{name}" in condition)]
        update = setting(attributes, names, values)
        if also:
            update["UpdateExpression"] += f", {also}"
        try:
            answer = self._table.update_item(
                Key={"incident_id": incident_id},
                **update,
                ConditionExpression=f"attribute_exists(#incident_id) AND ({condition})",
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if condition_failed(error):
                return None
            raise
        return Incident.from_item(answer["Attributes"])


def _of_app(app: str) -> dict[str, Any]:
    return {
        "IndexName": "by_app",
        "KeyConditionExpression": "#app = :app",
        "ExpressionAttributeNames": {"#app": "app"},
        "ExpressionAttributeValues": {":app": app},
    }


def setting(
    attributes: dict[str, Any], names: Iterable[str] = (), values: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The parameters of an UpdateItem that sets attributes; names, values: what else its condition has."""
    return {
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in (*attributes, *names)},
        "ExpressionAttributeValues": {**{f":{name}": value for name, value in attributes.items()}, **values},
    }


def utc_now() -> str:
    """The time now, ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")


def condition_failed(error: ClientError) -> bool:
    """Whether a conditional write was refused because its condition did not hold."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"
