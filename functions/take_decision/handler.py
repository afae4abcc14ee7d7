"""take_decision's Lambda entry point. Whoever may invoke it may decide, in their own name alone."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.take_decision.take import run

handler = event(run)
