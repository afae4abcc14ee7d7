"""The states of a heal with their times, as a small picture and as rows of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.core.notify.counts import often
from functions.core.notify.times import duration
from functions.core.workflow.history import Visit

SAID = {
    "ClaimIncident": "Take the incident on",
    "FetchSource": "Fetch the source",
    "InstallDependencies": "Install what its tests import",
    "ProposePatch": "Propose a patch",
    "ValidatePatch": "Judge the patch",
    "RunPatch": "Run it in the sandbox",
    "RunBuild": "Run it in CodeBuild",
    "ReviewPatch": "Ask for a second opinion",
    "AwaitApproval": "Wait for a decision",
    "CommitPatch": "Commit the approved bytes",
    "CreatePullRequest": "Open the pull request",
    "RecordOutcome": "Record the outcome",
}
"""The workflow's Task states in words."""

# In the picture's own units. People think for hours, and steps take seconds: waiting has a width of its own,
# and is drawn broken.
WIDTH, _GAP, _LEAST, _WAITING = 600.0, 2.0, 3.0, 60.0


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """One visit in the picture. `state`: done, failed, running, or waited."""

    x: float
    width: float
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One visit in words."""

    text: str
    entered: str
    took: str
    outcome: str
    note: str


def picture(visits: Sequence[Visit], now: datetime) -> tuple[TimelineBar, ...]:
    """The visits side by side: those of work as wide as they took, in all as wide as the picture."""
    worked = [0.0 if _waits(visit) else visit.seconds(now) for visit in visits]
    waits = sum(_waits(visit) for visit in visits)
    # What is left for work, once everything that is too short to be seen has its least width.
    free = WIDTH - waits * _WAITING - len(visits) * _GAP - (len(visits) - waits) * _LEAST
    scale = max(free, 0.0) / (sum(worked) or 1.0)
    bars, x = [], 0.0
    for visit, seconds in zip(visits, worked, strict=True):
        width = _WAITING if _waits(visit) else _LEAST + seconds * scale
        state = "waited" if _waits(visit) and visit.exited else visit.outcome
        took = duration(visit.seconds(now))
        bars.append(TimelineBar(round(x, 1), round(width, 1), state, f"{_said(visit)}: {took}"))
        x += width + _GAP
    return tuple(bars)


def rows(visits: Sequence[Visit], now: datetime) -> tuple[TimelineRow, ...]:
    return tuple(
        TimelineRow(
            _said(visit),
            visit.entered.isoformat(),
            duration(visit.seconds(now)),
            visit.outcome,
            f"tried {often(visit.tries)}" if visit.tries > 1 else "",
        )
        for visit in visits
    )


def _waits(visit: Visit) -> bool:
    return visit.state == "AwaitApproval"


def _said(visit: Visit) -> str:
    return SAID.get(visit.state, visit.state)
