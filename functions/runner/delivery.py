"""How the runner gets its job and hands back its report: by two addresses that are good for one run alone."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request

from functions.harness.runner import MOST_BYTES

_SECONDS = 45.0
"""For each answer of S3: less than a MicroVM's run hook has, which waits for the job."""


_TRIES = 3
"""Of leaving the report: else one hiccup there costs a whole run."""
_FAILED = (OSError, http.client.HTTPException)
"""No address, no answer, a refusal, or an answer that was cut short."""


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
    except _FAILED as error:
        raise JobUnreachable(_said(error)) from None


def deliver(address: str, report: bytes) -> None:
    """Raises ReportUndelivered."""
    if len(report) > MOST_BYTES:
        report = report[: MOST_BYTES + 1]  # as it is too large to be read, what is missing is not missed
    request = urllib.request.Request(address, report, {"Content-Type": ""}, method="PUT")  # noqa: S310 - as above
    failed = ""
    for _ in range(_TRIES):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
                return
        except _FAILED as error:
            failed = _said(error)
    raise ReportUndelivered(failed)


def _said(error: Exception) -> str:
    """What went wrong, with what S3 says of it, for whoever has to find out: this function has no log."""
    if not isinstance(error, urllib.error.HTTPError):
        return f"{type(error).__name__}: {error}"
    with error:
        body = error.read(2048).decode(errors="replace")
    told = [found[1][:100] for name in ("Code", "Message") if (found := re.search(f"<{name}>([^<]*)<", body))]
    return ": ".join((str(error), *told))
