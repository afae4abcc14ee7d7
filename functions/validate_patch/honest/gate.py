"""The table of rules, and what is new about a patch under each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.honest import (
    contracts,
    evasion,
    fallbacks,
    handlers,
    less,
    loosened,
    relevance,
    silent,
    switches,
    weakened,
)
from functions.validate_patch.honest.view import Hit, View
from functions.validate_patch.tree import Change, Tree


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule on one version of a file; what it finds counts when the version before lacks it."""

    name: str
    find: Callable[[View], Iterator[Hit]]
    in_tests: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """A named rule that looks at a file before (None when the patch adds it) and after."""

    name: str
    find: Callable[[View | None, View], Iterator[Hit]]


RULES = (
    Rule("broad_except", handlers.broad),
    Rule("swallowed_error", handlers.swallowed),
    Rule("suppressed_error", handlers.suppressed),
    Rule("tolerated_error", handlers.tolerated, in_tests=False),
    Rule("disguised_error", handlers.disguised, in_tests=False),
    Rule("invented_default", silent.invented_defaults, in_tests=False),
    Rule("invented_default", fallbacks.made_up, in_tests=False),
    Rule("invented_default", fallbacks.emptied, in_tests=False),
    Rule("invented_default", evasion.other_fields, in_tests=False),
    Rule("invented_default", evasion.unheard_keys, in_tests=False),
    Rule("invented_default", evasion.other_elements, in_tests=False),
    Rule("invented_default", evasion.any_element, in_tests=False),
    Rule("cut_off", evasion.cut_off, in_tests=False),
    Rule("caught_with_more", contracts.caught_with_more, in_tests=False),
    Rule("changed_input", evasion.changed_input, in_tests=False),
    Rule("stringified_none", fallbacks.stringified_none, in_tests=False),
    Rule("silent_return", silent.silent_returns, in_tests=False),
    Rule("skipped_records", silent.skipped_records, in_tests=False),
    Rule("guarded_away", silent.guarded_away, in_tests=False),
    Rule("skipped_test", weakened.skips),
    Rule("weakened_test", weakened.watches_patch),
    Rule("disabled_check", switches.disabled_checks),
    Rule("dead_code", switches.dead_code),
)
COMPARISONS = (
    Comparison("weakened_test", weakened.weaker),
    Comparison("invented_default", fallbacks.given_defaults),
    Comparison("invented_default", fallbacks.given_fields),
    Comparison("invented_default", less.changed_fields),
    Comparison("invented_default", less.replaced),
    Comparison("less_done", less.less_done),
    Comparison("changed_figure", less.changed_figures),
    Comparison("changed_input", less.written_back),
    Comparison("caught_in_caller", contracts.caught_in_callers),
    Comparison("skipped_records", fallbacks.skipped_work),
    Comparison("loosened_check", loosened.guards),
    Comparison("removed_check", switches.removed_checks),
    Comparison("removed_call", switches.removed_calls),
)
ON_THE_WHOLE: tuple[tuple[str, Callable[[Candidate], Iterator[str]]], ...] = (
    ("loosened_check", loosened.settings),
    ("no_fix", relevance.no_fix),
    ("unrelated_change", relevance.unrelated),
    ("special_case", evasion.special_cases),
    ("broken_promise", contracts.broken_promises),
    ("unguarded_caller", contracts.unguarded_callers),
)


def findings(candidate: Candidate) -> tuple[str, ...]:
    """What speaks against the patch, each as `rule: path:line: text`; rules that the app accepts aside."""
    accepted = candidate.rules.accepted
    found = [
        f"{name}: {change.path}:{hit.line}: {hit.text}"
        for change in candidate.python_changes
        for name, hit in _of_file(candidate, change)
        if name not in accepted
    ]
    for name, whole in ON_THE_WHOLE:
        if name not in accepted:
            found += [f"{name}: {text}" for text in whole(candidate)]
    return tuple(found)


def _of_file(candidate: Candidate, change: Change) -> Iterator[tuple[str, Hit]]:
    after = _view(candidate, candidate.after, change.path)
    before = _view(candidate, candidate.before, change.path)
    if after is None:
        return
    for rule in RULES:
        if not rule.in_tests and is_test(change.path):
            continue
        known = Counter(hit.key for hit in rule.find(before)) if before is not None else Counter[str]()
        for hit in rule.find(after):
            if known[hit.key] > 0:
                known[hit.key] -= 1
            else:
                yield rule.name, hit
    for comparison in COMPARISONS:
        for hit in comparison.find(before, after):
            yield comparison.name, hit


def _view(candidate: Candidate, tree: Tree, path: str) -> View | None:
    module = parsed(tree, path)
    if module is None:
        return None
    source = tree[path].data.decode("utf-8", errors="replace")
    return View(path, module, source, parsed(candidate.before, path), candidate)
