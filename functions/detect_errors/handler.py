"""DetectErrors' Lambda entry point; CloudWatch Logs invokes it with what a subscription let through."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.detect_errors.step import run

handler = event(run)
