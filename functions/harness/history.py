"""Whether the incident is gone on a later commit, and since which one."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from functions.harness import reproduction, test_runs
from functions.harness.request import RunRequest, task_of

if TYPE_CHECKING:
    from functions.harness.outcome import RunOutcome
    from functions.harness.proof import Reproduction


def fixed_by(asked: Mapping[str, Any], shown: Reproduction) -> Generator[RunRequest, RunOutcome, int | None]:
    """How many commits it took until the incident was gone without the patch, found by halving; None where it
    is not gone. asked: see `experiment.experiment`; shown: what came of reproducing it on the last commit.
    """
    names = asked["gone"]["names"]
    if not names or not shown.fails:
        return None
    if not all(reproduction.is_gone(names, test_runs.read(outcome)) for outcome in shown.fails):
        return None
    history = asked["gone"]["history"]
    there, gone = 0, len(history)
    while gone - there > 1:
        middle = (there + gone) // 2
        outcome = yield _as_of(middle, history, asked, shown)
        if reproduction.is_gone(names, test_runs.read(outcome)):
            gone = middle
        else:
            there = middle
    return gone


def _as_of(
    number: int, history: Sequence[Mapping[str, str | None]], asked: Mapping[str, Any], shown: Reproduction
) -> RunRequest:
    """The tests, on the tree as it was after so many commits."""
    was: dict[str, str | None] = {}
    for commit in reversed(history[number:]):
        was |= commit
    files = {path: text for path, text in was.items() if path not in shown.tests}
    added = {path: text for path, text in (*files.items(), *shown.tests.items()) if text is not None}
    left_out = tuple(path for path, text in files.items() if text is None)
    given = tuple(path for path, text in shown.tests.items() if text is None)
    return RunRequest("before", task_of(shown.tests), asked["seconds"], given, added, left_out)
