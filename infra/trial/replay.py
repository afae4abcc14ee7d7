"""What this system would have done with the errors of past logs, and how its fixes compare with people's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.core.model.adapted import Adapted
from functions.core.workflow.evidence import Evidence, Result
from functions.harness.runner import Runner
from functions.propose_patch.repository import SourceTree
from infra.trial import human_fix
from infra.trial.human_fix import HumanFix
from infra.trial.log import Reported, read_each
from infra.trial.source import LocalSource
from infra.trial.trial import Progress, Trial, try_error

_RAISED = re.compile(r"[A-Za-z_][\w.]*(?=: )")
_MOST_TRIED = 3
"""Changes of the function that are put to the gates, oldest first: the fix may come after others."""


@dataclass(frozen=True, slots=True)
class FixComparison:
    """A fix that people made, and ours. alike: calls after which both end the same, of `calls` that both
    were seen with; differing: the others, as (call, ours, theirs)."""

    change: HumanFix
    alike: int
    calls: int
    differing: tuple[tuple[str, str, str], ...]

    def to_json(self) -> dict[str, Any]:
        names = ("call", "ours", "theirs")
        return {
            "commit": self.change.sha,
            "said": self.change.said,
            "alike": self.alike,
            "calls": self.calls,
            "differing": [dict(zip(names, row, strict=True)) for row in self.differing],
        }


@dataclass(frozen=True, slots=True)
class Replayed:
    """One error. human: None where the history has no fix of it, or ours has none to compare."""

    incident: Incident
    place: str
    trial: Trial
    fixed_by: HumanFix | None = None
    comparison: FixComparison | None = None

    @property
    def healed(self) -> bool:
        """Whether people would have been asked about a patch."""
        return self.trial.outcome == "accepted"

    def to_json(self) -> dict[str, Any]:
        """The document's row; the trial is what `try` prints."""
        fixed = self.fixed_by
        return {
            "fingerprint": self.incident.fingerprint,
            "title": self.incident.title,
            "class": str(self.incident.error_class),
            "occurrences": self.incident.occurrences,
            "place": self.place,
            "healed": self.healed,
            "cost_usd": round(self.trial.cost_usd, 6),
            "fixed_by": fixed.to_json() if fixed else None,
            "comparison": self.comparison.to_json() if self.comparison else None,
            "trial": self.trial.to_json(),
        }


def errors_of(text: str, source: LocalSource, app: App) -> list[Reported]:
    """Every error of the logs once, what was seen most often first."""
    return read_each(text, SourceTree(source.members), app)


def replay(
    errors: Sequence[Reported],
    source: LocalSource,
    until: str,
    app: App,
    runner: Runner,
    model: tuple[Adapted, str],
    progress: Progress,
) -> Iterator[Replayed]:
    """Each error as a heal of its own, and as people mended it. until: where the history is looked through
    to, from the source's revision on."""
    repository = SourceTree(source.members)
    for number, reported in enumerate(errors, 1):
        progress(f"{number} of {len(errors)}: {reported.incident.title}")
        trial = try_error(source, reported, repository, app, runner, progress, model=model)
        places = [(frame, path) for frame, path in trial.frames if path]
        frame, path = places[-1] if places else (None, None)
        place = f"{path}:{frame.line}" if frame and path else ""
        theirs = None
        if frame and path:
            theirs = _mended(reported, source, until, path, frame.line or 0, app, runner, progress)
        change, judged = theirs or (None, None)
        comparison = None
        if change and judged and judged.evidence and trial.evidence and trial.outcome == "accepted":
            comparison = compare(change, trial.evidence, judged.evidence)
        yield Replayed(reported.incident, place, trial, change, comparison)


def compare(change: HumanFix, ours: Evidence, theirs: Evidence) -> FixComparison:
    """What calls came to after either patch. Two errors of one type are alike, whatever they say."""
    other = {row.call: row.after for row in theirs.behaviour}
    both = [(row.call, row.after, other[row.call]) for row in ours.behaviour if row.call in other]
    differing = tuple(row for row in both if _kind(row[1]) != _kind(row[2]))
    return FixComparison(change, len(both) - len(differing), len(both), differing)


def _kind(ending: str) -> str:
    """An error's type, or a result as it is written."""
    raised = _RAISED.match(ending)
    return raised[0] if raised else ending


def _mended(
    reported: Reported,
    source: LocalSource,
    until: str,
    path: str,
    line: int,
    app: App,
    runner: Runner,
    progress: Progress,
) -> tuple[HumanFix, Trial] | None:
    """The first change of the function after which the error is gone."""
    repository = SourceTree(source.members)
    for tried, change in enumerate(human_fix.changes(source, until, path, line)):
        if tried == _MOST_TRIED:
            return None
        progress(f"people's change {change.sha[:12]}: {change.said}")
        trial = try_error(source, reported, repository, app, runner, lambda _: None, answer=change.diff)
        gates = trial.evidence.gates if trial.evidence else ()
        if any(gate.gate == "reproduces" and gate.result is Result.PASS for gate in gates):
            return change, trial
    return None
