"""How the runner gets its job and hands back its report: by two addresses that are good for one run alone."""

from __future__ import annotations

import urllib.error
import urllib.request

from functions.harness.runner import MOST_BYTES

_SECONDS = 45.0
"""For each answer of S3: less than a MicroVM's run hook has, which waits for the job."""


class JobUnreachable(Exception):
    """The job could not be fetched, or is none of this version: nothing was run."""


class ReportUndelivered(Exception):
    """The report could not be left where it belongs."""


def fetch(address: str) -> bytes:
    """Raises JobUnreachable."""
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - the dispatcher signed it
            data: bytes = answer.read()
            return data
    except OSError as error:
        raise JobUnreachable(_said(error)) from None


def deliver(address: str, report: bytes) -> None:
    """Raises ReportUndelivered."""
    if len(report) > MOST_BYTES:
        report = report[: MOST_BYTES + 1]  # as it is too large to be read, what is missing is not missed
    request = urllib.request.Request(address, report, {"Content-Type": ""}, method="PUT")  # noqa: S310 - as above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
            pass
    except OSError as error:
        raise ReportUndelivered(_said(error)) from None


def _said(error: OSError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it is the answer, too, and holds the connection
    return str(error)
