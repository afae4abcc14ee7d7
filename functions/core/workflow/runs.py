"""How RunPatch's lanes are called in the state, and which errors of a runner are not the patch's."""

from __future__ import annotations

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
