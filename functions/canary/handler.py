"""The canary's Lambda entry point; two schedules invoke it."""

from __future__ import annotations

from functions.canary.step import run
from functions.core.aws.edge import event

handler = event(run)
