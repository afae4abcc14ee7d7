"""The runner's Lambda entry point: fetches its job, drives it, and leaves the report.

It knows two addresses that are good for this run alone, and nothing else. It logs nothing and has no
telemetry: its role may not even do that.
"""

from __future__ import annotations

import os
from typing import Any

from functions.harness.driver import DriverSettings, drive
from functions.harness.job import BadJob
from functions.runner.delivery import JobUnreachable, deliver, fetch

PING = {"self-heal": "ping"}
"""`functions.core.aws.names.PING`: what keeps a function awake. Nothing of the core is here."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"job": address to read, "report": address to write}` → `{}`. Raises JobUnreachable and
    ReportUndelivered."""
    if event == PING:
        return {}
    job = fetch(event["job"])
    try:
        report = drive(job, DriverSettings.of(os.environ))
    except (OSError, BadJob) as error:
        raise JobUnreachable(str(error)) from None
    deliver(event["report"], report)
    return {}
