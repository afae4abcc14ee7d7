"""How long lists take over many incidents, in the embedded DynamoDB: `python tests/bench/bench_lists.py`.

Prints, for each way to ask, the seconds on the clock and those of this process's CPU, and how many were
found; what is found is compared with what was written. Exit code 1 if that differs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from functions.core.incidents.incident import Status
from functions.core.incidents.table import LISTED
from infra.cli.selection import filter_of, read, select
from infra.local.emulator import Emulator
from infra.target import Target
from tests.unit.cli.test_listing import made

QUESTIONS: dict[str, dict[str, list[str]]] = {
    "all": {},
    "one app": {"apps": ["orders"]},
    "one app's failures": {"apps": ["orders"], "status": ["FAILED"]},
    "what is open": {"status": ["open"]},
}


def fill(target: Target, many: int) -> None:
    """An incidents table, keyed and indexed as the stack makes it, with so many incidents."""
    dynamodb = target.session.resource("dynamodb")
    table = dynamodb.create_table(
        TableName="incidents",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "incident_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("incident_id", "app", "last_seen")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_app",
                "KeySchema": [
                    {"AttributeName": "app", "KeyType": "HASH"},
                    {"AttributeName": "last_seen", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
            }
        ],
    )
    with table.batch_writer() as batch:
        for number in range(many):
            batch.put_item(Item={**made(number), "reason": "nobody decided in time"})


def main(many: int) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as home, Emulator(Path(home)) as aws:
        target = Target(aws.session(), {"IncidentsTable": "incidents"})
        fill(target, many)
        rows = [made(number) for number in range(many)]
        for question, options in QUESTIONS.items():
            wanted = filter_of(options.get("apps"), options.get("status"))
            clock, cpu = time.perf_counter(), time.process_time()
            found = select(read(target, wanted), wanted, limit=50)
            took, used = time.perf_counter() - clock, time.process_time() - cpu
            expected = sum(
                (not wanted.apps or row["app"] in wanted.apps)
                and (not wanted.statuses or Status(row["status"]) in wanted.statuses)
                for row in rows
            )
            wrong += found.total != expected
            right = "right" if found.total == expected else f"WRONG, {expected} expected"
            print(f"{question:20} {took:6.2f} s, {used:5.2f} s of CPU here; {found.total:6,} found, {right}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_200))
