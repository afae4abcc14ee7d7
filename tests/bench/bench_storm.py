"""What a storm of one error costs, and what it comes near to. Run: `python tests/bench/bench_storm.py`.

The real recorder writes to an emulated DynamoDB; each write is charged as DynamoDB charges it, by item and
by second, and held against its limits: 1,000 write units a second for one partition, 400 KB for one item.
Beside it, computed, what it cost to keep the deliveries in a set inside the incident, with an index that
projects everything and sorts by the last occurrence.

The first seconds are whole; the rest of the day is sampled, some deliveries of every hour, which is enough to
show what grows with time and what does not. Exit code 1 if a limit is met.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import boto3
from moto import mock_aws

from functions.core.incidents.incident import ErrorClass, Frame
from functions.core.incidents.table import LISTED
from functions.detect_errors.recorder import Recorder, Sighting

RATE = 100
"""Deliveries a second of one error."""
DAY = 24 * 3600
SECONDS = 4
"""That are whole. The emulator copies all tables for each transaction: more take it minutes."""
UNITS, ITEM_LIMIT = 1_000, 400 * 1024
# On-demand writes in us-east-1, 2026: USD for a million units.
USD_PER_MILLION = 0.625
START = 1_800_000_000


def size(item: dict[str, Any]) -> int:
    """Bytes of an item, near enough: names and values as text, and a few for each nesting."""
    return sum(len(name) + len(str(value)) + 3 for name, value in item.items())


def units(*items: dict[str, Any]) -> int:
    return max(1, math.ceil(max(size(item) for item in items) / 1024))


class Meter:
    """Write units by second and partition, and the largest item of each kind."""

    def __init__(self) -> None:
        self.second = 0
        self.used: Counter[tuple[int, str]] = Counter()
        self.largest: Counter[str] = Counter()

    def charge(self, partition: str, amount: int, item: dict[str, Any]) -> None:
        self.used[self.second, partition] += amount
        kind = partition.partition("#")[0]
        self.largest[kind] = max(self.largest[kind], size(item))

    def peaks(self) -> dict[str, int]:
        """The most units of one second on one partition, by kind of item."""
        found: Counter[str] = Counter()
        for (_, partition), amount in self.used.items():
            kind = partition.partition("#")[0]
            found[kind] = max(found[kind], amount)
        return dict(found)


class Metered:
    """A table whose writes are charged."""

    def __init__(self, table: Any, meter: Meter) -> None:
        self._table, self._meter = table, meter
        self.name = table.name
        self.meta = self
        self.client = self
        self.exceptions = table.meta.client.exceptions
        self.get_item = table.get_item
        self.batch_get_item = table.meta.client.batch_get_item

    def _item(self, key: dict[str, Any], table: Any) -> dict[str, Any]:
        item: dict[str, Any] = table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        return item

    def update_item(self, **asked: Any) -> Any:
        before = self._item(asked["Key"], self._table)
        answer = self._table.update_item(**asked)
        self._charge(before, self._item(asked["Key"], self._table), 1)
        return answer

    def transact_write_items(self, TransactItems: list[Any]) -> Any:  # noqa: N803 - boto3's name
        tables = [boto3.resource("dynamodb").Table(row["Update"]["TableName"]) for row in TransactItems]
        keys = [row["Update"]["Key"] for row in TransactItems]
        before = [self._item(key, table) for key, table in zip(keys, tables, strict=True)]
        answer = self._table.meta.client.transact_write_items(TransactItems=TransactItems)
        for old, key, table in zip(before, keys, tables, strict=True):
            self._charge(old, self._item(key, table), 2)
        return answer

    def _charge(self, before: dict[str, Any], after: dict[str, Any], factor: int) -> None:
        key = str(after.get("delivery_id") or f"incident#{after['incident_id']}")
        self._meter.charge(key, factor * units(before or after, after), after)
        if "app" in after:
            self._index(before, after)

    def _index(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        held = ("incident_id", "app", "last_seen", *LISTED)
        old, new = ({n: row[n] for n in held if n in row} for row in (before, after))
        if old == new:
            return
        moved = bool(old) and old["last_seen"] != new["last_seen"]
        amount = units(old) + units(new) if moved else units(old or new, new)
        self._meter.charge(f"index#{after['app']}", amount, new)


def sighting(number: int, second: int) -> Sighting:
    """A delivery of an error as large as they come: a long sample, and deep frames."""
    at = datetime.fromtimestamp(START + second, UTC).isoformat(timespec="milliseconds")
    frame = Frame("/var/task/orders/shipping.py", 32, "rate_for", "return RATES[country]", True, "own code")
    return Sighting(
        "orders",
        "v1-abc",
        "KeyError",
        "KeyError: 'NZ'",
        ErrorClass.CODE,
        "raised by the app's own code",
        "",
        "x" * recording_sample(),
        (frame,) * 30,
        3,
        at,
        at,
        "/aws/lambda/orders",
        "2026/11/20/[$LATEST]abc",
        number.to_bytes(8),
        True,
    )


def recording_sample() -> int:
    from functions.detect_errors.sightings import SAMPLE_LIMIT

    return SAMPLE_LIMIT


def tables() -> tuple[Any, Any]:
    dynamodb: Any = boto3.resource("dynamodb")
    text = {"AttributeType": "S"}
    index = {
        "IndexName": "by_app",
        "KeySchema": [
            {"AttributeName": "app", "KeyType": "HASH"},
            {"AttributeName": "last_seen", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
    }
    incidents = dynamodb.create_table(
        TableName="incidents",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "incident_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, **text} for n in ("incident_id", "app", "last_seen")],
        GlobalSecondaryIndexes=[index],
    )
    deliveries = dynamodb.create_table(
        TableName="deliveries",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "delivery_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "delivery_id", **text}],
    )
    return incidents, deliveries


def before(rate: int, item: int) -> tuple[float, float, float]:
    """With a set in the incident: minutes until the index's partition is full, and until the item is; and
    USD of the first hour. The set holds 8 bytes for each delivery; the index is deleted and put anew."""
    saturated = full = math.inf
    cost = 0.0
    for second in range(2 * 3600):
        kilobytes = (item + 8 * rate * second) / 1024
        if rate * 2 * kilobytes > UNITS:
            saturated = min(saturated, second / 60)
        if kilobytes * 1024 > ITEM_LIMIT:
            full = min(full, second / 60)
        if second < 3600:
            cost += rate * 3 * min(kilobytes, 400) / 1e6 * USD_PER_MILLION
    return saturated, full, cost


def main() -> int:
    meter = Meter()
    with mock_aws():
        incidents, deliveries = tables()
        recorder = Recorder(Metered(incidents, meter), Metered(deliveries, meter))  # type: ignore[arg-type]  # what the recorder uses of a table
        setattr(time, "time", lambda: START + meter.second)  # noqa: B010 - the storm's own clock, for all
        number = 0
        for second in range(SECONDS):
            meter.second = second
            for _ in range(RATE):
                recorder.record(sighting(number := number + 1, second))
        steady = sum(amount for (second, _), amount in meter.used.items() if second == SECONDS - 1)
        for second in range(3600, DAY, 3600):
            meter.second = second
            for _ in range(3):
                recorder.record(sighting(number := number + 1, second))
        item = size(incidents.get_item(Key={"incident_id": "orders-v1-abc"})["Item"])
    peaks = meter.peaks()
    print(f"one error, {RATE} deliveries a second, incident of {item / 1024:.0f} KB")
    for kind, peak in sorted(peaks.items()):
        print(
            f"{kind:10} most write units a second on one partition {peak:6}  (limit {UNITS:,})"
            f"   largest item over 24 h {meter.largest[kind] / 1024:6.1f} KB  (limit 400)"
        )
    print(f"write units a second in all {steady:,}: ${steady * 3600 / 1e6 * USD_PER_MILLION:.2f} an hour")
    print("before, computed: deliveries in a set inside the incident, all of it in the index")
    for rate in (10, RATE):
        saturated, full, cost = before(rate, item)
        print(
            f"{rate:4} a second: the index's partition is full after {saturated:5.1f} min,"
            f" the item after {full:5.1f} min; ${cost:.2f} for the first hour"
        )
    bad = max(peaks.values()) >= UNITS or max(meter.largest.values()) >= ITEM_LIMIT
    print("a limit is met" if bad else "no limit is met")
    return int(bad)


if __name__ == "__main__":
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    sys.exit(main())
