"""What the repository's own settings take out of the proof, said as what it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from functions.core.redaction import redact
from functions.validate_patch import suite
from functions.validate_patch.candidate import Candidate


def warnings(candidate: Candidate, accepted: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for each principle that is switched off, and one for tests that are replaced or narrowed.

    accepted: principle that is switched off → what it objects to, "" for nothing.
    """
    return tuple(map(redact, (*_switched_off(candidate, accepted), *_tests(candidate))))


def _switched_off(candidate: Candidate, accepted: Mapping[str, str]) -> Iterator[str]:
    for name, reason in sorted(candidate.rules.accepted.items()):
        objection = accepted.get(name, "")
        objects = f"it objects to this patch ({objection})" if objection else ""
        said = objects or "it has nothing to object to this patch"
        yield f"The repository switches the rule {name} off, because {reason!r}; {said}."


def _tests(candidate: Candidate) -> Iterator[str]:
    command = candidate.rules.test_command
    arguments = suite.pytest_arguments(command)
    if arguments == [] or candidate.facts.app.test_command:
        return
    what = "replaces its tests by" if arguments is None else "narrows its tests to"
    yield f"The repository {what} what its settings say: {shlex.join(command)}."
