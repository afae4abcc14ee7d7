"""What a delivery of log lines and a heal use, for `infra/cost/measured.toml`, on the embedded run.

Run: `python tests/bench/bench_cost.py [HEALS]`. Prints them, and the month that the AWS Guidance prices at
$60.29: a million errors, a thousand of them unique, 1,000 tokens in and out. Exit code 1 above $40, in any
year.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from functions.core.approval.approvals import Verdict
from functions.core.approval.orders import Order
from functions.core.incidents.incident import Incident, Status
from functions.core.model.models import default_model
from infra.catalog import FUNCTIONS
from infra.cli.history import read_history
from infra.cost.estimate import Load, bill
from infra.deciding import decide
from infra.local import run as embedded
from infra.local.crash import CRASHES, request
from infra.target import Target

GUIDANCE_USD, TARGET_USD = 60.29, 40.0
GUIDANCE = Load(1_000_000, 1_000, 1_000, 1_000, default_model("us-east-1"))
# Lambda's own lines of an invocation: START, END and REPORT.
_PLATFORM_BYTES = 350
_EVENT_BYTES = 26
"""That CloudWatch Logs adds to each line.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


def until(target: Target, known: set[str], status: Status) -> Incident:
    while True:
        for incident in target.incidents.recent():
            if incident.incident_id not in known and incident.status is status:
                return target.incidents.get(incident.incident_id)
        time.sleep(0.1)


def logged(target: Target, folder: str) -> Iterator[str]:
    """All lines that a function has logged."""
    pages = target.session.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=f"/aws/lambda/{target.names.function(folder)}"):
        yield from (event["message"] for event in page["events"])


def stored(target: Target, incident: Incident) -> int:
    pages = target.session.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=target.output("ArtifactsBucket"))
    return sum(
        row["Size"] for page in found for row in page.get("Contents", []) if incident.app in row["Key"]
    )


def main(heals: int) -> int:
    seconds: dict[str, list[float]] = defaultdict(list)
    bytes_of: dict[str, int] = {}
    metrics: set[tuple[str, ...]] = set()
    transitions = []
    with tempfile.TemporaryDirectory() as home:
        run = embedded.start(Path(home))
        try:
            target = run.target()
            for crash in list(CRASHES.values())[:heals]:
                known = {incident.incident_id for incident in target.incidents.recent()}
                request(target, crash.crashes)
                waiting = until(target, known, Status.AWAITING_APPROVAL)
                decide(target, Order(waiting.approval_id, waiting.patch_sha256, Verdict.APPROVE))
                healed = until(target, known, Status.PR_OPEN)
                transitions.append(len(read_history(target, healed)[1]))
            time.sleep(2)
            kept = stored(target, healed) / heals
            for folder in (spec.folder for spec in FUNCTIONS):
                lines = list(logged(target, folder))
                bytes_of[folder] = sum(len(line.encode()) + _EVENT_BYTES for line in lines)
                for line in filter(lambda line: line.startswith("{"), lines):
                    read: dict[str, Any] = json.loads(line)
                    if read.get("message") == "step finished":
                        seconds[folder].append(float(read["seconds"]))
                    for rule in read.get("_aws", {}).get("CloudWatchMetrics", []):
                        values = (str(read[name]) for name in rule["Dimensions"][0])
                        metrics.add((rule["Metrics"][0]["Name"], *values))
        finally:
            run.stop()
    print(f"heals                    {heals}")
    for folder, found in sorted(seconds.items()):
        runs = len(found) / heals
        print(f"  {folder:22} {statistics.median(found):7.2f} s  {runs:5.1f} runs a heal")
    print(f"transitions of a heal    {statistics.median(transitions):g}")
    print(f"own metrics              {len(metrics)}: {' '.join(sorted({'/'.join(row) for row in metrics}))}")
    runs = max(len(seconds["detect_errors"]), 1)
    print(f"log bytes of a delivery  {bytes_of['detect_errors'] / runs + _PLATFORM_BYTES:.0f}")
    others = sum(size for folder, size in bytes_of.items() if folder != "detect_errors")
    print(f"log bytes of a heal      {others / heals:.0f}")
    print(f"kept of a heal           {kept:.0f} bytes, compressed as they are")
    month = bill(GUIDANCE)
    years = ", ".join(f"${usd:.2f}" for usd in month.usd_by_year)
    print(f"the Guidance's load      {years} a month in the years 1, 2 and 3, theirs ${GUIDANCE_USD}")
    for item in month.lines:
        if item.usd >= 0.005:
            print(f"  {item.service:15}{item.what:36}${item.usd:6.2f}")
    return 0 if max(month.usd_by_year) <= TARGET_USD else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 4))
