"""ClaimIncident's Lambda entry point."""

from __future__ import annotations

from functions.claim_incident.step import run
from functions.core.aws.edge import step

handler = step(run, even_stopped=True)
