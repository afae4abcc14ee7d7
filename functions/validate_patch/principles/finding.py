"""What a principle says about a patch, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from functions.harness.proof import Proof
from functions.validate_patch.candidate import Candidate


class Severity(StrEnum):
    """What follows from a finding."""

    REFUSE = "refuse"
    """The principle is plainly broken: the patch goes back to the model."""
    QUESTION = "question"
    """Nothing in the repository says whether it is right: it is asked, of the model once, then of people."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, in words that an approver understands."""

    kind: Severity
    text: str
    where: str = ""
    """`path:line` of what it is about, in the patched tree; "" for the patch as a whole."""
    calls: tuple[str, ...] = ()
    """Calls that show it, as source text."""
    words: tuple[str, ...] = ()
    """Patterns of what a sentence that answers the question has to say; () where no sentence can."""


@dataclass(frozen=True, slots=True)
class Example:
    """A file before and after a patch, and what calls of it give: shown to people, and run by the tests."""

    before: str
    after: str
    error: str
    """What a call of the last function raises in its last line, as `Type: message`."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Calls that fail so → what they give after the patch."""
    worked: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Calls that worked → what they gave before the patch, and after it."""
    objects: Severity | None = None
    path: str = "app.py"


@dataclass(frozen=True, slots=True)
class Principle:
    """A principle."""

    name: str
    sentence: str
    judge: Callable[[Candidate, Proof], Iterator[Finding]]
    examples: tuple[Example, ...]
    """Good and bad."""
