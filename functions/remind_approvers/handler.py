"""RemindApprovers' Lambda entry point; a schedule invokes it."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.remind_approvers.remind import run

handler = event(run)
