"""Where a job and its report lie in a run's folder: RunPatch signs these two addresses and no other."""

from __future__ import annotations

JOB = "job.zip"
REPORT = "report.json"
NOTHING_RAN = frozenset({"JobUnreachable", "ReportUndelivered"})
"""Errors of the runner that are not the patch's: the names of `functions/runner/handler.py`'s exceptions."""
