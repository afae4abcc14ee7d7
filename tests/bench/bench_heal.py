"""From log line to waiting approval, and from approval to pull request, on the embedded run.

Run: python tests/bench/bench_heal.py [ROUNDS]. The first round starts every function cold.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

from functions.core.approval.approvals import Verdict
from functions.core.approval.orders import Order
from functions.core.incidents.incident import Incident, Status
from infra.deciding import decide
from infra.local import run as embedded
from infra.local.crash import CRASHES, HEALED, request
from infra.target import Target

TARGETS = {"log line → approval waiting": 8.0, "approval → pull request": 4.0, "peak memory": 1024.0}


def until(target: Target, known: set[str], status: Status) -> Incident:
    while True:
        for incident in target.incidents.recent():
            if incident.incident_id not in known:
                if incident.status is status:
                    return incident
                if incident.status in (Status.FAILED, Status.ABSTAINED):
                    raise SystemExit(f"{incident.incident_id}: {incident.status}: {incident.reason}")
        time.sleep(0.05)


def main(rounds: int) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        run = embedded.start(Path(home))
        peak = 0
        over = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not over.wait(0.5):
                peak = max(peak, run.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            print(f"start of the embedded run       {time.monotonic() - began:7.2f} s")
            target = run.target()
            for name, crash in [(name, CRASHES[name]) for name in HEALED][:rounds]:
                known = {incident.incident_id for incident in target.incidents.recent()}
                request(target, crash.crashes)
                crashed = time.monotonic()
                waiting = until(target, known, Status.AWAITING_APPROVAL)
                approved = time.monotonic()
                decide(target, Order(waiting.approval_id, waiting.patch_sha256, Verdict.APPROVE))
                until(target, known, Status.PR_OPEN)
                print(
                    f"{name:10} log line → approval {approved - crashed:6.2f} s"
                    f"   approval → pull request {time.monotonic() - approved:6.2f} s"
                )
        finally:
            over.set()
            watcher.join()
            run.stop()
        print(f"peak memory (PSS)               {peak / 2**20:7.0f} MiB")
        print("targets: " + ", ".join(f"{name} <= {value:g}" for name, value in TARGETS.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else len(HEALED))
