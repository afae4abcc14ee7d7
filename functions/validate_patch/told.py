"""What a lane's report says: text that strangers may have written, believed only where it is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.core.untrusted.redaction import redact
from functions.harness import job as jobs
from functions.harness.experiment import replay
from functions.harness.outcome import RunOutcome
from functions.harness.proof import NotBelieved, Proof
from functions.harness.runner import MOST_BYTES, Ran

_VERSION = re.compile(r"[0-9A-Za-z.+]{1,20}")
_MOST_OUTCOMES = 600
_FIELDS = {
    "version": int,
    "nonce": str,
    "python": str,
    "pytest": str,
    "pytest_problem": str,
    "problem": str,
    "started": bool,
    "ended": str,
    "outcomes": list,
}


class NotRun(Exception):
    """Nothing was run, and why: nothing about the patch follows from that."""


@dataclass(frozen=True, slots=True)
class ReplayedReport:
    """A report as the driver wrote it, with its conclusions drawn again."""

    python: str
    """Full version of the interpreter."""
    pytest_problem: str
    """Why pytest could not be imported; "" when it could."""
    cut: bool
    """Whether there was not enough time for all of it."""
    proof: Proof


def read(ran: Ran, nonce: str, asked: Mapping[str, Any], own: frozenset[str]) -> ReplayedReport:
    """The results of a job. asked, own: see `experiment.experiment`.

    Raises NotRun, and NotBelieved: code under test was run, and what is there is not what the driver writes.
    That counts as a failure, else a patch that breaks its own proof would pass as one that could not be
    proven.
    """
    if ran.report is None:
        raise NotBelieved(f"the report is larger than {MOST_BYTES:,} bytes")
    if not ran.report:
        if ran.lacks:
            raise NotRun(ran.lacks)
        raise NotBelieved(f"there is no report: {_line(ran.ended) or 'it ended before it could report'}")
    data = _checked(ran.report, nonce)
    if problem := _line(data["problem"]):
        if data["started"]:
            raise NotBelieved(f"the proof could not run to its end: {problem}")
        raise NotRun(problem)
    try:
        outcomes = [RunOutcome.from_json(row) for row in data["outcomes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise NotBelieved("the report is not what the driver writes") from error
    cut = data["ended"] == "time"
    proof = replay(asked, own, outcomes, pytest=bool(data["pytest"]), cut=cut)
    found = _VERSION.match(data["python"])
    problem = "" if data["pytest"] else _line(data["pytest_problem"]) or "no reason given"
    return ReplayedReport(found[0] if found else "unknown", problem, cut, proof)


def _checked(report: bytes, nonce: str) -> dict[str, Any]:
    try:
        data = json.loads(report)
    except (ValueError, RecursionError) as error:
        raise NotBelieved("the report is not what the driver writes") from error
    if not isinstance(data, dict) or data.keys() != _FIELDS.keys():
        raise NotBelieved("the report is not what the driver writes")
    if any(type(data[name]) is not kind for name, kind in _FIELDS.items()):
        raise NotBelieved("the report is not what the driver writes")
    if data["version"] != jobs.VERSION or len(data["outcomes"]) > _MOST_OUTCOMES:
        raise NotBelieved("the report is not what the driver writes")
    if data["nonce"] != nonce:
        raise NotBelieved("the report is not the one of this patch")
    return data


def _line(text: str) -> str:
    return redact(" ".join(text.split())[:300])
