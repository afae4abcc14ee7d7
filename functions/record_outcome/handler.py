"""RecordOutcome's Lambda entry point."""

from __future__ import annotations

from functions.core.aws.edge import step
from functions.record_outcome.step import run

handler = step(run, even_stopped=True)
