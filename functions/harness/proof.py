"""What an experiment finds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from functions.harness.outcome import RunOutcome
from functions.harness.reproduction import ReproductionResult


@dataclass
class Reproduction:
    """What came of reproducing the incident."""

    tests: Mapping[str, str | None] = field(default_factory=dict)
    """Test files → text of those that were found by search, None for the patch's own."""
    fails: tuple[RunOutcome, ...] = ()
    passes: tuple[RunOutcome, ...] = ()
    verdict: ReproductionResult = field(default_factory=ReproductionResult)
    reason: str = ""
    """Why there is no test to judge; "" when there is one."""
    refuted: bool = False
    """Whether a call that failed as the incident did still fails."""
    found: Sequence[Mapping[str, Any]] = ()
    """Calls that the search found to fail as the incident did, or like it."""
    toothless: bool = False
    """Whether the test passes on every mutant of the patch as well."""


@dataclass
class Calls:
    """Made-up calls on both trees, and what of the patch was executed."""

    worked: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    """Calls that had a result before: as they are now, and as they were."""
    mended: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    """Calls that failed as the incident did, and what they do now."""
    refused: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    """Calls that the code refused on purpose before: as they are now, and as they were."""
    differing: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    """Of `worked`, those whose result, or what they leave of their arguments, changed each time again."""
    left: frozenset[int]
    """Numbers of the pieces of the patch that nothing executed."""
    whole: bool
    """Whether the runs that this rests on came to their end."""
    compared: bool = True
    """Whether the calls did: those that the time did not suffice for are not among the others."""


@dataclass
class Proof:
    """What the experiment found out so far. A part that is None was not reached."""

    reproduction: Reproduction | None = None
    suite: tuple[RunOutcome, RunOutcome] | None = None
    plain: bool = False
    """Whether the suite ran without the options in the repository's configuration."""
    broken: RunOutcome | None = None
    """The suite's command on the patched tree whose changed modules cannot be imported."""
    fixed_by: int | None = None
    """How many commits of the `history` it took until the error was gone; 0 where there is none to try; None
    where it is not gone."""
    calls: Calls | None = None
    joined: dict[str, Reproduction] = field(default_factory=dict)
    """Incident that joined this one → what came of reproducing it."""
    ran: list[tuple[str, RunOutcome]] = field(default_factory=list)
    """Every run in order, with the tree that it was of."""


class Nonsense(ValueError):
    """What a run reported is not what the harness writes. Any other error while a report is read is ours."""


class NotBelieved(Exception):
    """A report that does not tell what the experiment asks for, and how."""
