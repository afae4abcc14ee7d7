"""The files that a patch changes and whose code is judged against what it was."""

from __future__ import annotations

from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames


def changed_modules(
    candidate: Candidate, before: ModuleIndex, after: ModuleIndex
) -> Iterator[tuple[str, ResolvedNames, ResolvedNames]]:
    """(path, as it was, as it is) of each that is no test and can be read in both trees."""
    for change in candidate.python_changes:
        old, new = before.names(change.path), after.names(change.path)
        if old is not None and new is not None and not is_test(change.path):
            yield change.path, old, new
