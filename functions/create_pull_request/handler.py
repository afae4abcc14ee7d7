"""CreatePullRequest's Lambda entry point."""

from __future__ import annotations

from functions.core.aws.edge import step
from functions.create_pull_request.step import run

handler = step(run)
