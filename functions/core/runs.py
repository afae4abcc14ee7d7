"""Where a job and its report lie in a run's folder, and how RunPatch's lanes are called in the state.

RunPatch signs these two addresses and no other.
"""

from __future__ import annotations

JOB = "job.zip"
REPORT = "report.json"
NOTHING_RAN = frozenset({"JobUnreachable", "ReportUndelivered"})
"""Errors of the runner that are not the patch's: the names of `functions/runner/delivery.py`'s exceptions."""

LAMBDA, MICROVM = "lambda", "microvm"
"""The `lane` of the state's `run` part."""
