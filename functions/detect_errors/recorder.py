"""Counting what was delivered: every delivery once, and a storm of them without a hot item.

What a storm touches most lies in a table of its own, away from the incidents, their index and their stream:

    delivery#INCIDENT#ID    that this delivery was counted; an item of its own, forgotten after a day
    count#INCIDENT#SHARD    occurrences, spread over SHARDS items: few deliveries compete for each

The two are written in one transaction. The incident itself is written when it is new, for its first
EXACT occurrences, and from then on once a minute, with how often it was seen by then beside it: that is how
old its `last_seen` and `occurrences` may be.
What an incident had counted before there were shards is set apart once, and added to them.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.incidents.frequency import Frequency
from functions.core.incidents.incident import ErrorClass, Frame, Incident, Status
from functions.core.incidents.quota import HealsIn, QuotaPeriod
from functions.core.incidents.table import condition_failed, setting, utc_now
from functions.core.notify.counts import counted
from functions.core.workflow.lifetimes import KEEP_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

REMEMBER_SECONDS = 24 * 3600
"""Far longer than CloudWatch Logs and Lambda redeliver, whose events grow six hours old at most."""
SHARDS = 16
EXACT = 20
MOVE = timedelta(minutes=1)

# What an incident takes of its first sighting as it is.
_TAKEN = (
    *("fingerprint", "error_type", "title", "class_reason", "next_action", "sample", "revision"),
    *("first_seen", "last_seen", "log_group", "log_stream"),
)

# Two transactions on one item at once: DynamoDB cancels one. Tries, and the longest wait before each (s).
_TRIES, _LONGEST_WAIT = 8, 0.2


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
    heals_now: bool = True
    """Whether a heal that begins now would go on; if not, what was held back stays so."""
    causes: tuple[Frame, ...] = ()
    revision: str = ""
    """What the log record names as running, "" where it names nothing."""
    may_ask: int = 1_000
    """How many of the app's incidents may become NEW within an hour."""
    first_name: str = ""
    """The app's, where it was renamed."""

    @property
    def incident_id(self) -> str:
        return f"{self.first_name or self.app}-{self.fingerprint}"

    @property
    def line(self) -> int | None:
        """The line of the app's innermost frame."""
        return next((frame.line for frame in reversed(self.frames) if frame.in_app), None)

    def apart(self, qualified: str) -> Sighting:
        """The sighting of a twin: the same line of code, in another class's function of the same name."""
        digest = hashlib.sha256(f"{self.fingerprint}\n{qualified}".encode()).hexdigest()
        return replace(self, fingerprint=f"{self.fingerprint.partition('-')[0]}-{digest[:16]}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a sighting. `incident` may lag behind by a minute of occurrences (see above)."""

    incident: Incident
    counted: bool
    """False if this delivery was counted before."""
    first: bool
    """Nothing of this incident was counted before; true for exactly one of all its sightings."""
    tell_waiting: bool = False
    """It is the first within this hour that may not ask for a heal, because too many did."""


class Recorder:
    """The incidents table, and the one that remembers deliveries."""

    def __init__(
        self,
        incidents: Table,
        deliveries: Table,
        sleep: Callable[[float], None] = time.sleep,
        renamed: Callable[[], Mapping[str, str]] = dict,
    ):
        """renamed: former names of apps → those that they have now."""
        self._incidents = incidents
        self._deliveries = deliveries
        self._sleep = sleep
        self._renamed = renamed
        self._frequency = Frequency(incidents)

    def record(self, sighting: Sighting) -> Recorded:
        """Count a sighting once, whatever is delivered twice and wherever a run of this dies.

        An incident that had ended in a way that a recurrence contradicts becomes NEW once more; so does one
        that waited for an hour with fewer heals. Beyond as many as may ask within an hour, one is recorded
        all the same, and waits for the next.
        """
        known, waits = self._known(sighting)
        if other := known.twins.get(str(sighting.line)):
            sighting = sighting.apart(other)
            known, waits = self._known(sighting)
        counted, reopened = self._count(sighting, known)
        first = False
        if known.occurrences < EXACT or _moved(known.last_seen, sighting.last_seen):
            known, first = self._fold(known, sighting)
        if reopened:
            known = self._read(sighting.incident_id) or known
        return Recorded(known, counted, first, waits and self._asks(sighting, "").is_first_refused())

    def _known(self, sighting: Sighting) -> tuple[Incident, bool]:
        """The incident, and whether it was created now and has to wait."""
        found = self._read(sighting.incident_id)
        return (found, False) if found else self._create(sighting)

    def _read(self, incident_id: str) -> Incident | None:
        item = self._incidents.get_item(Key={"incident_id": incident_id}, ConsistentRead=True).get("Item")
        return Incident.from_item(item) if item else None

    def _asks(self, sighting: Sighting, waiting_since: str) -> HealsIn:
        most = sighting.may_ask
        return HealsIn(self._incidents, sighting.app, most, QuotaPeriod.ASKING, waiting_since)

    def _create(self, sighting: Sighting) -> tuple[Incident, bool]:
        asks = self._asks(sighting, "")
        held = sighting.heals and not asks.begin(f"{sighting.incident_id}#1")
        attributes = {name: getattr(sighting, name) for name in _TAKEN} | {
            "app": self._renamed().get(sighting.app, sighting.app),
            "status": str(Status.NEW if sighting.heals and not held else Status.SUPPRESSED),
            "error_class": str(sighting.error_class),
            "frames": [_without_none(asdict(frame)) for frame in sighting.frames],
            "causes": [_without_none(asdict(frame)) for frame in sighting.causes],
            "place": place(sighting.frames),
            "generation": 1,
            "occurrences": 0,
            "counted_before": 0,
            "updated_at": utc_now(),
            "ttl": int(time.time()) + KEEP_SECONDS,
        }
        if held:
            attributes |= _waiting(sighting, asks)
        try:
            answer = self._incidents.update_item(
                Key={"incident_id": sighting.incident_id},
                **setting(attributes),
                ConditionExpression="attribute_not_exists(incident_id)",
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            found = self._read(sighting.incident_id) if condition_failed(error) else None
            if found is None:
                raise
            return found, False
        return Incident.from_item(answer["Attributes"]), held

    def _count(self, sighting: Sighting, known: Incident) -> tuple[bool, bool]:
        """In one transaction: remember the delivery, add to a shard, and reopen what came back.

        (whether it was counted now, whether the incident was reopened)
        """
        now = int(time.time())
        name = sighting.delivery_id.hex()
        shard = int.from_bytes(sighting.delivery_id) % SHARDS
        remembered = {
            "TableName": self._deliveries.name,
            "Key": {"delivery_id": f"delivery#{sighting.incident_id}#{name}"},
            **setting({"ttl": now + REMEMBER_SECONDS}),
            "ConditionExpression": "attribute_not_exists(delivery_id)",
        }
        added: dict[str, Any] = {
            "TableName": self._deliveries.name,
            "Key": {"delivery_id": _shard(sighting.incident_id, shard)},
            "UpdateExpression": "ADD occurrences :count SET #ttl = :ttl",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {":count": sighting.count, ":ttl": now + KEEP_SECONDS},
        }
        writes = [remembered, added]
        may_begin = known.is_held_no_longer(now) and sighting.heals_now
        asks = sighting.heals and (known.is_over_for_good(utc_now()) or may_begin)
        again = f"{known.incident_id}#{known.generation + 1}"
        if asks and self._asks(sighting, known.waiting_since).begin(again):
            writes.append(self._reopening(known, sighting))
        reasons = self._transact(writes)
        if not reasons:
            return True, len(writes) > 2
        if reasons[0] == "ConditionalCheckFailed":
            return False, False
        # Somebody else reopened it in the meantime: this delivery remains to be counted.
        return self._count(sighting, self._read(sighting.incident_id) or known)

    def _reopening(self, incident: Incident, sighting: Sighting) -> dict[str, Any]:
        resolved = incident.status is Status.RESOLVED
        attributes: dict[str, Any] = {"status": str(Status.NEW), "updated_at": utc_now(), "held_until": 0}
        if incident.status is Status.SUPPRESSED:
            # The heal may look before this sighting is folded in: a limit may ask how often there was one.
            attributes |= {
                "occurrences": incident.occurrences + sighting.count,
                "last_seen": max(incident.last_seen, sighting.last_seen),
            }
        else:
            attributes |= {
                "app": sighting.app,  # by whose name it may be registered anew
                "regressed_from": incident.pull_request_url if resolved else incident.regressed_from,
                "generation": incident.generation + 1,
                "execution_arn": "",
                "by_hand": False,
            }
        before = {":old": str(incident.status), ":was": incident.generation}
        return {
            "TableName": self._incidents.name,
            "Key": {"incident_id": incident.incident_id},
            **setting(attributes, ["generation"], before),
            "ConditionExpression": "#status = :old AND #generation = :was",
        }

    def _transact(self, writes: list[dict[str, Any]]) -> list[str]:
        """Write all or nothing: [] when written, else why each was not. Raises ClientError."""
        client = self._deliveries.meta.client
        for left in reversed(range(_TRIES)):
            try:
                client.transact_write_items(TransactItems=[{"Update": write} for write in writes])  # type: ignore[typeddict-item]  # the resource's client takes plain values
            except client.exceptions.TransactionCanceledException as error:
                rows: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]  # its stub has no name for these
                reasons = [str(row.get("Code", "None")) for row in rows]
                if "ConditionalCheckFailed" in reasons:
                    return reasons
                if not left or not set(reasons) <= {"None", "TransactionConflict"}:
                    raise
                self._sleep(random.uniform(0, _LONGEST_WAIT))  # noqa: S311 - only spreads the tries
            else:
                return []
        raise AssertionError("unreachable: the last try returns or raises")

    def _fold(self, known: Incident, sighting: Sighting) -> tuple[Incident, bool]:
        """Bring the incident up to date with its shards; the incident, and whether it held nothing before."""
        old = known.counted_before is None
        before_shards = known.occurrences if known.counted_before is None else known.counted_before
        attributes: dict[str, Any] = {
            # What is not exact anyway may lag by a replication, too, at half the price.
            "occurrences": before_shards + self._total(sighting.incident_id, known.occurrences < EXACT),
            "counted_before": before_shards,
            "last_seen": max(known.last_seen, sighting.last_seen),
            "updated_at": utc_now(),
            "ttl": int(time.time()) + KEEP_SECONDS,
        }
        if sighting.revision:
            attributes["revision"] = sighting.revision
        # What is set apart must still be all that there is, and nobody else may have done it.
        apart = "attribute_not_exists(#counted_before) AND #occurrences = :counted_before"
        whole = "#occurrences < :occurrences" + (f" AND {apart}" if old else "")
        try:
            answer = self._incidents.update_item(
                Key={"incident_id": sighting.incident_id},
                **setting(attributes, ["incident_id"]),
                # Never backwards: another delivery may have folded more in the meantime.
                ConditionExpression=f"attribute_exists(#incident_id) AND {whole}",
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            now = self._read(sighting.incident_id) or known
            return self._fold(now, sighting) if old and now != known else (now, False)
        before = answer["Attributes"]
        self._frequency.note(
            sighting.incident_id,
            known.first_seen,
            sighting.last_seen,
            attributes["occurrences"],
            sighting.revision,
        )
        return Incident.from_item(before | attributes), before["occurrences"] == 0

    def _total(self, incident_id: str, exactly: bool) -> int:
        table = self._deliveries.name
        asked: Any = {
            table: {
                "Keys": [{"delivery_id": _shard(incident_id, n)} for n in range(SHARDS)],
                "ConsistentRead": exactly,
                "ProjectionExpression": "occurrences",
            }
        }
        total = 0
        while asked:
            page = self._deliveries.meta.client.batch_get_item(RequestItems=asked)
            total += sum(int(str(row["occurrences"])) for row in page["Responses"].get(table, ()))
            asked = page.get("UnprocessedKeys")
        return total


def _waiting(sighting: Sighting, asks: HealsIn) -> dict[str, Any]:
    """What an incident is recorded with that may not ask for a heal within this hour."""
    until = f"{datetime.fromtimestamp(asks.ends_at, UTC):%Y-%m-%d %H:%M} UTC"
    return {
        "held_until": asks.ends_at,
        "waiting_since": utc_now(),
        "reason": f"{counted(asks.most, 'error')} of {sighting.app} asked for a heal within this hour,"
        " the most that may",
        "next_action": f"Nothing: when it is seen again after {until}, it asks for its heal. Or at once:"
        f" selfheal retry {sighting.incident_id}",
    }


def place(frames: tuple[Frame, ...]) -> str:
    """Where an error comes from, as `FILE FUNCTION` of the app's innermost frame; "" where it has none."""
    own = [frame for frame in frames if frame.in_app]
    return f"{own[-1].file} {own[-1].function or ''}".strip() if own else ""


def _shard(incident_id: str, number: int) -> str:
    return f"count#{incident_id}#{number}"


def _moved(before: str, now: str) -> bool:
    """Whether a sighting is so much later than what the incident says that the incident should say so."""
    try:
        return datetime.fromisoformat(now) - datetime.fromisoformat(before) >= MOVE
    except (ValueError, TypeError):
        return now > before


def _without_none(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
