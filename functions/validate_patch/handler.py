"""ValidatePatch's Lambda entry point."""

from __future__ import annotations

from functions.core.aws.edge import step
from functions.validate_patch.step import run

handler = step(run)
