"""Gate 4: a patch holds no secret and nothing hidden, and reaches no capability that the code did not use.

What a fix for a crash may newly use is a list of what is harmless; chains of attributes are followed to where
they end (`library`, `names`), calls that reach out count with what they are given (`reach`), and what changes
other code or runs at import is seen as that (`stores`, `shadows`). What runs in fact is compared besides, by
the gate after the runs (`effects`).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator

from functions.core.untrusted.redaction import redact
from functions.harness.names import is_test
from functions.validate_patch import hidden_text
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities import (
    checks,
    clock,
    dominance,
    in_tests,
    options,
    payloads,
    protections,
    provenance,
    sequence,
    shadows,
    statements,
    stores,
    templates,
)
from functions.validate_patch.capabilities.names import OWN, ModuleIndex, ResolvedNames
from functions.validate_patch.capabilities.reach import Reaching, newly
from functions.validate_patch.capabilities.uses import Use, uses
from functions.validate_patch.diff import changed_lines
from functions.validate_patch.tree import Change

GATE = "capabilities"
_AROUND = 200
"""Lines before and after what is added that are looked at with it: as many as a chain of certificates has."""


def findings(candidate: Candidate) -> tuple[str, ...]:
    """What the patch would leak, open or begin, one sentence each with kind, file and line."""
    found = [
        text for change in candidate.changes for text in (*_secrets(change), *hidden_text.findings(change))
    ]
    before, after = ModuleIndex(candidate.before), ModuleIndex(candidate.after)
    reached = Reaching(before), Reaching(after)
    known = shadows.imported(candidate.before) | shadows.own(candidate.after) | sys.stdlib_module_names
    failing = {place.function for place in candidate.places}
    for change in candidate.python_changes:
        old, new = before.names(change.path), after.names(change.path)
        if new is None:
            continue
        places = {
            (use.line, use.text): f"{use.kind}: {change.path}:{use.line}: {use.text}"
            for use in _new(old, new)
        }
        found += places.values()
        lines = {line for line, _ in places}
        found += _reaching(change.path, *reached, lines, failing if is_test(change.path) else set())
        found += _dependencies(new, known | {"pytest"})
        found += in_tests.findings(old, new)
        found += statements.findings(old, new, failing)
    for rule in (checks, dominance, options, provenance, protections, sequence, payloads, templates):
        found += rule.findings(candidate, before, after)
    return (*found, *shadows.findings(candidate))


def _secrets(change: Change) -> Iterator[str]:
    if change.after is None:
        return
    lines = change.after.data.decode(errors="replace").split("\n")
    added = sorted(number for number in changed_lines(change).added if number <= len(lines))
    if not added:
        return
    # A secret may take several lines, and be told by those around it; not by all of a large file.
    first = max(0, added[0] - _AROUND)
    shown = lines[first : added[-1] + _AROUND]
    redacted = redact("\n".join(shown)).split("\n")
    for number in added:
        line = redacted[number - 1 - first]
        if line != lines[number - 1]:
            kinds = re.findall(r"\[redacted ([a-z ]+) [0-9a-f]{4}\]", line)
            if set(kinds) - {"email", "phone"}:
                kind = ", ".join(sorted(set(kinds)))
                yield f"secret: {change.path}:{number}: the added line holds a secret ({kind})"


def _watched(names: ResolvedNames | None) -> Iterator[Use]:
    if names is not None:
        yield from uses(names)
        yield from stores.stores(names)
        yield from stores.at_import(names)


def _new(old: ResolvedNames | None, new: ResolvedNames) -> Iterator[Use]:
    """Uses that the file did not have; one that moved is none, nor is the time in place of a missing one."""
    known = Counter(use.key for use in _watched(old))
    said = Counter(one.value.lineno for one in clock.fillings(old.module, new.module)) if old else Counter()
    for use in _watched(new):
        if known[use.key] > 0:
            known[use.key] -= 1
        elif use.key == "input clock" and said[use.line] > 0:
            said[use.line] -= 1
        else:
            yield use


def _reaching(
    path: str, before: Reaching, after: Reaching, told: set[int], failing: set[str]
) -> Iterator[str]:
    """Calls that reach out and are new, or are given more; those on lines of which something is told aside.
    failing: functions that a test may call whatever they do."""
    for place, only_given in newly(list(before.places(path)), list(after.places(path))):
        if place.line not in told and place.name.rpartition(".")[2] not in failing:
            name = place.name.removeprefix(OWN).removeprefix("?.")
            said = f"gives {name} more than before" if only_given else f"newly uses {name}"
            yield f"reach: {path}:{place.line}: {said}, which {place.what}"


def _dependencies(names: ResolvedNames, known: set[str] | frozenset[str]) -> Iterator[str]:
    for name, line in names.imports():
        if name not in known:
            yield (
                f"new_dependency: {names.path}:{line}: imports {name!r}, which neither the repository nor "
                "the standard library has"
            )
