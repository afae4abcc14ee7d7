"""sign_in's Lambda entry point, behind the routes of an HTTP API that need no token."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.sign_in.flow import run

handler = event(run)
