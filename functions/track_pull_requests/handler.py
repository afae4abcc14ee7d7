"""TrackPullRequests' Lambda entry point; a schedule invokes it."""

from __future__ import annotations

from functions.core.aws.edge import event
from functions.track_pull_requests.track import run

handler = event(run)
