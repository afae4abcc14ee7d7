"""A run that is asked for, and what a run of tests is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OPTIONS = ("-q", "-p", "no:cacheprovider", "--color=no", "-rN")


@dataclass(frozen=True)
class RunRequest:
    """One run that is asked for: a tree, what to do in it, and how long it may take."""

    tree: str
    """`before` or `after`."""
    task: Mapping[str, Any]
    """See `worker.run`."""
    seconds: float
    taken: tuple[str, ...] = ()
    """Files that it has from the other tree."""
    added: Mapping[str, str] = field(default_factory=dict)
    """Files that it has besides: path → text."""
    left_out: tuple[str, ...] = ()
    """Files that it does not have."""


def task_of(paths: Iterable[str]) -> dict[str, Any]:
    """A regression test's run."""
    return {"kind": "pytest", "args": [*OPTIONS, "--tb=short", "-o", "addopts=", *paths]}
