"""report_failure's Lambda entry point; target of the EventBridge rule on failed executions."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.report_failure.report import run

handler = event(run)
