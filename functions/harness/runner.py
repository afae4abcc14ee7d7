"""Where jobs run: one contract for all lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from functions.harness.job import Job

MOST_BYTES = 48 * 1024 * 1024
"""Of a report: what is longer is not read."""


@dataclass(frozen=True)
class Ran:
    """What came of a job."""

    report: bytes | None
    """The driver's report, a stranger's word; b"" where there is none, None where it is too large to be
    one."""
    where: str
    """What held the code under test, as one clause for the evidence."""
    ended: str = ""
    """How it ended where there is no report."""
    lacks: str = ""
    """What the lane itself says kept it from starting anything; "" where something was started."""


class Runner(Protocol):
    """A lane. Each `run` is a world of its own: nothing of one job is there in the next."""

    def run(self, job: Job) -> Ran:
        """Run a job and hand back its report as it is. Raises only for what keeps the lane itself from
        working: a job whose code under test leaves no report, or a forged one, is an answer."""
        ...
