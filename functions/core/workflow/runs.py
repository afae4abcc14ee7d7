"""Where a job and its report lie in a run's folder, and how RunPatch's lanes are called in the state.

RunPatch signs these two addresses and no other.
"""

from __future__ import annotations

JOB = "job.zip"
REPORT = "report.json"
NOTHING_RAN = frozenset(
    {
        "JobUnreachable",
        "ReportUndelivered",
        "Runtime.HandlerNotFound",
        "Runtime.ImportModuleError",
        "Runtime.InvalidEntrypoint",
        "Runtime.InvalidWorkingDir",
        "Runtime.UserCodeSyntaxError",
    }
)
"""Errors of the runner that are not the patch's: those of `functions/runner/delivery.py`, and Lambda's own of
an image that does not start."""

LAMBDA, MICROVM = "lambda", "microvm"
"""The `lane` of the state's `run` part."""
