"""The incidents table. Every write is conditional, so that steps may run twice and events may come late."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.errors import IncidentNotFound
from functions.core.incident import ErrorClass, Frame, Incident, Status
from functions.core.quota import HourlyHeals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

KEEP_SECONDS = 180 * 24 * 3600
"""How long an incident stays after its last occurrence (DynamoDB TTL)."""

# A delivered batch is remembered for one to two hours, longer than CloudWatch Logs and Lambda redeliver in
# practice, in three sets that take turns: one is written, one is still read, one is dropped.
_WINDOW_SECONDS = 3600
_SEEN = ("seen_0", "seen_1", "seen_2")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One distinct error within one delivered batch of log events."""

    app: str
    fingerprint: str
    error_type: str
    title: str
    error_class: ErrorClass
    class_reason: str
    next_action: str
    sample: str
    frames: tuple[Frame, ...]
    count: int
    first_seen: str
    last_seen: str
    log_group: str
    log_stream: str
    delivery_id: bytes
    """8 bytes that are the same when the same batch is delivered again."""
    heals: bool
    """Whether its class starts a heal for this app; if not, the incident is recorded as SUPPRESSED."""
    causes: tuple[Frame, ...] = ()
    revision: str = ""
    """What the log record names as running, "" where it names nothing."""

    @property
    def incident_id(self) -> str:
        return f"{self.app}-{self.fingerprint}"


class Incidents:
    """The table behind all incidents."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, incident_id: str) -> Incident:
        """Read one incident, consistently. Raises IncidentNotFound."""
        item = self._table.get_item(Key={"incident_id": incident_id}, ConsistentRead=True).get("Item")
        if not item:
            raise IncidentNotFound(f"no incident {incident_id!r} in table {self._table.name}")
        return Incident.from_item(item)

    def record(self, sighting: Sighting) -> Incident | None:
        """Count a sighting: exactly one write. Returns the incident after it, or None if this delivery was
        counted before.

        A resolved incident that is sighted again becomes NEW once more, which costs a second write.
        """
        now = utc_now()
        window = int(time.time()) // _WINDOW_SECONDS
        current, stale = _SEEN[window % 3], _SEEN[(window + 1) % 3]
        first = {
            "app": sighting.app,
            "fingerprint": sighting.fingerprint,
            "status": str(Status.NEW if sighting.heals else Status.SUPPRESSED),
            "error_type": sighting.error_type,
            "title": sighting.title,
            "error_class": str(sighting.error_class),
            "class_reason": sighting.class_reason,
            "next_action": sighting.next_action,
            "sample": sighting.sample,
            "frames": [_without_none(asdict(frame)) for frame in sighting.frames],
            "causes": [_without_none(asdict(frame)) for frame in sighting.causes],
            "first_seen": sighting.first_seen,
            "log_group": sighting.log_group,
            "log_stream": sighting.log_stream,
            "generation": 1,
        }
        always = {
            "last_seen": sighting.last_seen,
            "updated_at": now,
            "ttl": int(time.time()) + KEEP_SECONDS,
        }
        if sighting.revision:
            always["revision"] = sighting.revision
        names = {f"#{name}": name for name in (*first, *always, *_SEEN, "occurrences")}
        values: dict[str, Any] = {f":{name}": value for name, value in (first | always).items()}
        sets = [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        sets += [f"#{name} = :{name}" for name in always]
        values |= {":count": sighting.count, ":delivery": {sighting.delivery_id}, ":id": sighting.delivery_id}
        try:
            answer = self._table.update_item(
                Key={"incident_id": sighting.incident_id},
                UpdateExpression=(
                    f"SET {', '.join(sets)} ADD #occurrences :count, #{current} :delivery REMOVE #{stale}"
                ),
                ConditionExpression=" AND ".join(f"NOT contains(#{name}, :id)" for name in _SEEN),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if _condition_failed(error):
                return None
            raise
        incident = Incident.from_item(answer["Attributes"])
        if incident.status is Status.RESOLVED and sighting.heals:
            return self._reopen(incident)
        if incident.held_until and incident.held_until <= time.time() and sighting.heals:
            freed = self.transition(
                incident.incident_id, Status.SUPPRESSED, status=str(Status.NEW), held_until=0
            )
            return freed or incident
        return incident

    def _reopen(self, incident: Incident) -> Incident:
        changed = self._update(
            incident.incident_id,
            {
                "status": str(Status.NEW),
                "regressed_from": incident.pull_request_url,
                "generation": incident.generation + 1,
                "execution_arn": "",
            },
            condition="#status = :resolved",
            values={":resolved": str(Status.RESOLVED)},
        )
        return changed or self.get(incident.incident_id)

    def hourly_heals(self, app: str, most: int) -> HourlyHeals:
        """How many of the app's heals began in this hour; it is counted in the same table."""
        return HourlyHeals(self._table, app, most)

    def claim(self, incident_id: str, execution_arn: str) -> Incident | None:
        """Claim a NEW incident for an execution. The same execution may claim again; None for any other."""
        return self._update(
            incident_id,
            {"status": str(Status.HEALING), "execution_arn": execution_arn, "reason": "", "next_action": ""},
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
        self, incident_id: str, execution_arn: str, event_id: str, reason: str, next_action: str
    ) -> Incident | None:
        """Mark a heal as FAILED once per event; None if the event was handled or the heal is over anyway."""
        over = (Status.PR_OPEN, Status.RESOLVED, Status.ABSTAINED, Status.REJECTED)
        values = {f":over{i}": str(status) for i, status in enumerate(over)}
        return self._update(
            incident_id,
            {
                "status": str(Status.FAILED),
                "reason": reason,
                "next_action": next_action,
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

    def transition(self, incident_id: str, old: Status, **attributes: Any) -> Incident | None:
        """Set attributes if the incident still has status `old`; None if not."""
        return self._update(incident_id, attributes, condition="#status = :old", values={":old": str(old)})

    def recent(self, app: str | None = None, limit: int = 100) -> Sequence[Incident]:
        """The most recently seen incidents first: of one app from the index, of all apps by a scan."""
        if app:
            rows = self._table.query(
                IndexName="by_app",
                KeyConditionExpression="#app = :app",
                ExpressionAttributeNames={"#app": "app"},
                ExpressionAttributeValues={":app": app},
                ScanIndexForward=False,
                Limit=limit,
            )["Items"]
            return [Incident.from_item(row) for row in rows]
        page = self._table.scan()
        rows = page["Items"]
        while "LastEvaluatedKey" in page:
            page = self._table.scan(ExclusiveStartKey=page["LastEvaluatedKey"])
            rows += page["Items"]
        # Other items, such as an app's budget of a day, have no status.
        incidents = (Incident.from_item(row) for row in rows if "status" in row)
        found = sorted(incidents, key=lambda i: i.last_seen, reverse=True)
        return found[:limit]

    def open_pull_requests(self, app: str) -> Sequence[Incident]:
        """The app's incidents that wait for their pull request to be merged."""
        return self.with_status(app, Status.PR_OPEN)

    def with_status(self, app: str, status: Status) -> Sequence[Incident]:
        """All of the app's incidents that have this status."""
        found: list[Incident] = []
        start: dict[str, Any] = {}
        while True:
            page = self._table.query(
                IndexName="by_app",
                KeyConditionExpression="#app = :app",
                FilterExpression="#status = :open",
                ExpressionAttributeNames={"#app": "app", "#status": "status"},
                ExpressionAttributeValues={":app": app, ":open": str(status)},
                **start,
            )
            found += [Incident.from_item(row) for row in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _update(
        self, incident_id: str, attributes: dict[str, Any], *, condition: str, values: dict[str, Any]
    ) -> Incident | None:
        attributes = {**attributes, "updated_at": utc_now()}
        names = {f"#{name}": name for name in attributes}
        names |= {f"#{n}": n for n in ("incident_id", "status", "execution_arn") if f"#{n}" in condition}
        names["#incident_id"] = "incident_id"
        try:
            answer = self._table.update_item(
                Key={"incident_id": incident_id},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                ConditionExpression=f"attribute_exists(#incident_id) AND ({condition})",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()} | values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if _condition_failed(error):
                return None
            raise
        return Incident.from_item(answer["Attributes"])


def utc_now() -> str:
    """The time now, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _condition_failed(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def _without_none(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
