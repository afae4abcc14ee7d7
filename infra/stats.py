"""What came of the heals: how far each came, out of how many, how long it took and what it cost.

It counts the latest heal of each incident: what an incident's item and its approvals say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from functions.core.approval.approvals import Approval, Verdict
from functions.core.incidents.incident import Incident, Status
from functions.record_outcome.outcome import abstained_for

_BANDS = ((0.9, "90-100 %"), (0.7, "70-90 %"), (0.5, "50-70 %"), (0.0, "below 50 %"))
UNKNOWN = "not shown"
"""The band of what nobody was asked about."""


@dataclass(frozen=True, slots=True)
class Record:
    """One incident's latest heal. approvals: the questions that were put for it, newest first; confidence:
    the model's own, None where nobody was asked."""

    incident: Incident
    approvals: Sequence[Approval]
    confidence: float | None

    @property
    def begun(self) -> bool:
        return bool(self.incident.attempts)

    @property
    def shown(self) -> bool:
        return bool(self.approvals)

    @property
    def approved(self) -> bool:
        return any(one.decision == Verdict.APPROVE for one in self.approvals)

    @property
    def opened(self) -> bool:
        return bool(self.incident.pull_request_url and self.incident.commit_sha)

    @property
    def merged(self) -> bool:
        return bool(self.opened and self.incident.merged_at)

    @property
    def closed(self) -> bool:
        return self.opened and self.incident.status is Status.REJECTED

    @property
    def regressed(self) -> bool:
        """Whether a fix was merged before this heal, and the error came back."""
        return bool(self.incident.regressed_from)

    @property
    def band(self) -> str:
        if self.confidence is None:
            return UNKNOWN
        sure = self.confidence
        return next(name for least, name in _BANDS if sure >= least)


COUNTED: Mapping[str, Callable[[Record], bool]] = {
    "begun": lambda one: one.begun,
    "shown": lambda one: one.shown,
    "approved": lambda one: one.approved,
    "opened": lambda one: one.opened,
    "merged": lambda one: one.merged,
    "closed": lambda one: one.closed,
    "regressed": lambda one: one.regressed,
}
OUT_OF = {
    "shown": "begun",
    "approved": "shown",
    "opened": "approved",
    "merged": "opened",
    "closed": "opened",
}
"""What is counted → of what it is a part."""
TIMES = ("question", "decision", "merge", "gone")


def counts(records: Iterable[Record]) -> dict[str, int]:
    """How many heals came how far."""
    found = list(records)
    return {name: sum(map(holds, found)) for name, holds in COUNTED.items()}


def reasons(records: Iterable[Record]) -> dict[str, int]:
    """Why no patch was proposed: the model's own class of reason, or what the gates found → how often."""
    abstained = (one.incident.reason for one in records if one.incident.status is Status.ABSTAINED)
    return dict(Counter(map(abstained_for, abstained)).most_common())


def hours(records: Iterable[Record]) -> dict[str, float | None]:
    """Median hours from the first line of an error to each point, to less than a second; None where none came
    so far."""
    found: dict[str, list[float]] = {name: [] for name in TIMES}
    for one in records:
        for name, at in _times(one).items():
            if at and one.incident.first_seen:
                found[name].append(_hours(one.incident.first_seen, at))
    return {name: round(median(values), 4) if values else None for name, values in found.items()}


def _times(one: Record) -> dict[str, str]:
    first = one.approvals[-1] if one.approvals else None
    decided = next((approval for approval in one.approvals if approval.decided_at), None)
    return {
        "question": first.created_at if first else "",
        "decision": decided.decided_at if decided else "",
        "merge": one.incident.merged_at if one.merged else "",
        "gone": one.incident.updated_at if one.incident.status is Status.RESOLVED else "",
    }


def _hours(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 3600


def usd_per_merged(records: Sequence[Record]) -> float | None:
    """All that was spent, on what came to nothing too, per fix that was merged; None before the first."""
    merged = sum(one.merged for one in records)
    return round(sum(one.incident.cost_usd for one in records) / merged, 4) if merged else None


def to_json(records: Sequence[Record]) -> dict[str, Any]:
    """All figures, of all and by app, class and confidence."""
    groups: dict[str, Callable[[Record], str]] = {
        "by_app": lambda one: one.incident.app,
        "by_class": lambda one: str(one.incident.error_class),
        "by_confidence": lambda one: one.band,
    }
    return {
        "incidents": len(records),
        "counts": counts(records),
        "abstained": reasons(records),
        "median_hours": hours(records),
        "usd": round(sum(one.incident.cost_usd for one in records), 4),
        "usd_per_merged_fix": usd_per_merged(records),
        **{
            name: {
                value: counts(one for one in records if key(one) == value)
                for value in sorted({key(one) for one in records})
            }
            for name, key in groups.items()
        },
    }
