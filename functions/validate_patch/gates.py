"""The gates that a patch goes through, as one list: the table in .github/PROOF.md is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from functions.validate_patch.principles import PRINCIPLES


class How(StrEnum):
    """How a gate comes to its result."""

    READS = "reads"
    """It reads the patch; nothing runs."""
    RUNS = "runs"
    """It runs the repository's code, in a lane."""
    JUDGES = "judges"
    """It judges what the runs showed; it may ask instead of refusing."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate."""

    name: str
    how: How
    says: str
    """When it holds, continuing "holds when"."""
    needs: tuple[str, ...] = ()
    """Gates that have to hold before it is tried."""


APPLIES = Gate(
    "applies", How.READS, "every edit matches exactly once, in the file's own encoding and line endings"
)
SCOPE = Gate(
    "scope",
    How.READS,
    "all files are in the repository, among the app's paths, few and textual; never CI, infrastructure, lock"
    " or dependency files",
    ("applies",),
)
PARSES = Gate("parses", How.READS, "on the app's Python version, without new undefined names", ("scope",))
CAPABILITIES = Gate(
    "capabilities", How.READS, "no secret, and no capability that the code did not use before", ("parses",)
)
FORMATTING = Gate("formatting", How.READS, "nothing but what the fix changes", ("scope",))
REPRODUCES = Gate(
    "reproduces",
    How.RUNS,
    "a regression test fails before the patch as the incident did, passes after it, three times each, and"
    " fails on a mutant of the patch. Without one, a bounded search looks for an input",
    ("capabilities", "formatting"),
)
JOINED_REPRODUCE = Gate(
    "joined_reproduce",
    How.RUNS,
    "so it is with each incident of the same cause that joined, through its own callers where these can be"
    " called. Only where one did",
    ("capabilities", "formatting"),
)
REGRESSION_TESTS = Gate(
    "regression_tests",
    How.RUNS,
    "no test of the repository, as fetched, that passed before fails, is skipped or is gone",
    ("capabilities", "formatting"),
)
DOES_NOTHING_ELSE = Gate(
    "does_nothing_else",
    How.RUNS,
    "no run of the patched code reached a file, process, connection or code that no run before the patch did",
    ("capabilities", "formatting"),
)
RUNNING = (REPRODUCES, REGRESSION_TESTS, DOES_NOTHING_ELSE)
JUDGED = tuple(
    Gate(p.name, How.JUDGES, p.sentence[0].lower() + p.sentence[1:].rstrip("."), ("parses",))
    for p in PRINCIPLES
)
GATES = (APPLIES, SCOPE, PARSES, CAPABILITIES, FORMATTING, *RUNNING, *JUDGED)
"""Those of every patch, in the order of the evidence."""
EVERY = (*GATES[: GATES.index(REPRODUCES) + 1], JOINED_REPRODUCE, *GATES[GATES.index(REPRODUCES) + 1 :])


def table() -> str:
    """The gates as a Markdown table."""
    rows = [f"| `{gate.name}` | {gate.how} | {gate.says} |" for gate in EVERY]
    return "\n".join(("| gate | how | holds when |", "|---|---|---|", *rows))
