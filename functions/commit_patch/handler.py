"""CommitPatch's Lambda entry point."""

from __future__ import annotations

from functions.commit_patch.step import run
from functions.core.aws.edge import step

handler = step(run)
