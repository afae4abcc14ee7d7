"""The runner's Lambda entry point: fetches its job, drives it, and leaves the report.

It knows two addresses that are good for this run alone, and nothing else. It logs nothing and has no
telemetry: its role may not even do that.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Any

from functions.harness.driver import Settings, drive
from functions.harness.job import BadJob
from functions.harness.runner import MOST_BYTES

_SECONDS = 60.0


class JobUnreachable(Exception):
    """The job could not be fetched, or is none of this version: nothing was run."""


class ReportUndelivered(Exception):
    """The report could not be left where it belongs."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"job": address to read, "report": address to write}` → `{}`. Raises JobUnreachable and
    ReportUndelivered."""
    try:
        report = drive(_read(event["job"]), Settings.of(os.environ))
    except (OSError, BadJob) as error:
        raise JobUnreachable(_said(error)) from None
    if len(report) > MOST_BYTES:
        report = report[: MOST_BYTES + 1]  # as it is too large to be read, what is missing is not missed
    _write(event["report"], report)
    return {}


def _read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - the dispatcher signed it
        data: bytes = answer.read()
        return data


def _write(address: str, report: bytes) -> None:
    request = urllib.request.Request(address, report, {"Content-Type": ""}, method="PUT")  # noqa: S310 - as above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
            pass
    except OSError as error:
        raise ReportUndelivered(_said(error)) from None


def _said(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it is the answer, too, and holds the connection
    return str(error)
