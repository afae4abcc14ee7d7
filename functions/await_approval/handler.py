"""AwaitApproval's Lambda entry point; invoked with `lambda:invoke.waitForTaskToken`."""

from __future__ import annotations

from functions.await_approval.step import run
from functions.core.aws.edge import step

handler = step(run)
