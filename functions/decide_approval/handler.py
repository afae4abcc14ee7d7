"""decide_approval's Lambda entry point, behind a function URL, or an HTTP API where people sign in."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.decide_approval.routes import run

handler = event(run)
