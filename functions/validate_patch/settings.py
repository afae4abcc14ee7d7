"""What stands beside the buttons, said as what it is: what the repository's own settings, and what could not
be installed, take out of the proof, and where data newly goes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from functions.core.untrusted.redaction import redact
from functions.validate_patch import regression_tests
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities import checks, clock, leaks
from functions.validate_patch.principles import PRINCIPLES


def warnings(candidate: Candidate, accepted: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for what is wrong with the settings, one for each principle that is switched off, one for
    tests that are replaced or narrowed, one for what is not installed as the repository asks for it, and one
    for each place at which data goes where it did not go, the present time stands in for a missing one, or
    what a failing check compares is mended.

    accepted: principle that is switched off → what it objects to, "" for nothing.
    """
    wrong = [f"Of the repository's settings: {said}." for said in [problem(candidate)] if said]
    switched_off = _switched_off(candidate, accepted)
    read = (*leaks.warnings(candidate), *clock.warnings(candidate), *checks.warnings(candidate))
    found = (*wrong, *switched_off, *_tests(candidate), *_lost(candidate), *read)
    return tuple(map(redact, found))


def problem(candidate: Candidate) -> str:
    """What is wrong with the repository's own settings, as a clause; "" for nothing."""
    rules, known = candidate.rules, [principle.name for principle in PRINCIPLES]
    if rules.problem:
        return f"they are ignored: {rules.problem}"
    unknown = sorted(repr(name) for name in rules.accepted if name not in known)
    if not unknown:
        return ""
    are = "is no rule" if len(unknown) == 1 else "are no rules"
    return f"'accept' names {', '.join(unknown)}, which {are}; known: {', '.join(known)}"


def _lost(candidate: Candidate) -> Iterator[str]:
    if lost := candidate.context.lost:
        yield f"Not all that the tests need is installed as the repository says: {'; '.join(lost)}."


def _switched_off(candidate: Candidate, accepted: Mapping[str, str]) -> Iterator[str]:
    known = {principle.name for principle in PRINCIPLES}
    for name, reason in sorted(candidate.rules.accepted.items()):
        if name not in known:
            continue
        objection = accepted.get(name, "")
        objects = f"it objects to this patch ({objection})" if objection else ""
        said = objects or "it has nothing to object to this patch"
        yield f"The repository switches the rule {name} off, because {reason!r}; {said}."


def _tests(candidate: Candidate) -> Iterator[str]:
    command = candidate.rules.test_command
    arguments = regression_tests.pytest_arguments(command)
    if arguments == [] or candidate.context.app.test_command:
        return
    what = "replaces its tests by" if arguments is None else "narrows its tests to"
    yield f"The repository {what} what its settings say: {shlex.join(command)}."
