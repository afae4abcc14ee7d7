"""The search as gate 6 uses it: a regression test for a proposal that brings none."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from functions.core.proposal import RegressionTest
from functions.core.redaction import redact
from functions.validate_patch.candidate import Candidate, is_test, parsed
from functions.validate_patch.honest.view import functions_of
from functions.validate_patch.outcomes import same_type
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox
from functions.validate_patch.search.values import STANDARD

CALLS = 4000
"""Calls tried before giving up. Most incidents of the crash corpus are found within 50."""
_SECONDS = 8.0
# Of each kind, code and tests: what is read for classes and examples, once per search.
_MOST_FILES = 300
_WRITTEN = 3


@dataclass(frozen=True, slots=True)
class RegressionTests:
    """Regression tests, likeliest first, or why there is none; `refuted`: what was found still fails."""

    tests: tuple[RegressionTest, ...] = ()
    reason: str = ""
    refuted: bool = False


def generate(candidate: Candidate, sandbox: Sandbox, before: Path, after: Path) -> RegressionTests:
    """Search on the tree as fetched, see what the patched tree does with the same calls, and write tests.

    The innermost function is called first. When the patch leaves it failing, its callers are: the cause may
    have been mended there.
    """
    if not candidate.places:
        return RegressionTests(reason="no frame of the traceback could be found in the repository")
    inner = _search(candidate, sandbox, before, after, skip=0)
    if inner.tests or len(candidate.places) < 2:
        return inner
    outer = _search(candidate, sandbox, before, after, skip=1)
    return outer if outer.tests else inner


def _search(candidate: Candidate, sandbox: Sandbox, before: Path, after: Path, skip: int) -> RegressionTests:
    incident, place = candidate.facts.incident, candidate.places[-1]
    lines = lines_of(sandbox.run(before, {**task_of(candidate, CALLS), "skip": skip}, _SECONDS))
    found = [line for line in lines if "call" in line]
    if not found:
        problem = next((line["problem"] for line in lines if "problem" in line), "")
        nothing = f"no input was found that raises {incident.error_type} in {place.function}"
        return RegressionTests(reason=problem or nothing)
    found.sort(key=lambda line: not line["exact"])  # the sort is stable: likely inputs stay first
    probes = lines_of(sandbox.run(after, {"kind": "search", "probe": found}, _SECONDS))
    answered = list(zip(found, probes, strict=False))
    tests = [_written(candidate, c, a) for c, a in answered if _is_mended(incident.error_type, a)]
    if tests:
        return RegressionTests(tuple(tests[:_WRITTEN]))
    for call, answer in answered:
        raised = answer.get("raised", {})
        frames = [frame for frame in raised.get("frames", ()) if frame[0] in candidate.before]
        again = raised.get("type") in (incident.error_type, "AssertionError")
        again = (
            again and bool(frames) and frames[-1][2] == place.function and not _mended_by_callers(candidate)
        )
        text = f"{call['call']} raises {raised.get('type')} after the patch too: {raised.get('message')}"
        if again and call["exact"]:
            return RegressionTests(reason=redact(text[:300]), refuted=True)
    return RegressionTests(reason="the inputs that were found make the patched code fail in other ways")


def _mended_by_callers(candidate: Candidate) -> bool:
    """Whether the patch leaves the innermost function and changes what one that led to it gives it."""
    changed = []
    for place in candidate.places:
        trees = (parsed(candidate.before, place.path), parsed(candidate.after, place.path))
        old, new = (
            [ast.dump(f) for n, f in functions_of(tree).items() if n.rpartition(".")[2] == place.function]
            if tree is not None
            else []
            for tree in trees
        )
        changed.append(old != new)
    return any(changed[:-1]) and not changed[-1]


def _is_mended(error_type: str, answer: dict[str, Any]) -> bool:
    """Whether a call that failed now gives a value, or another error that the code raises on purpose."""
    if "value" in answer:
        return True
    return bool(answer.get("deliberate")) and not same_type(error_type, answer["raised"]["type"])


def task_of(candidate: Candidate, calls: int) -> dict[str, Any]:
    """What to search, for the worker; at most so many calls (see `explore.explore`)."""
    incident = candidate.facts.incident
    message = incident.title.partition(": ")[2] if incident.title.startswith(incident.error_type) else ""
    python = _nearest(candidate, [path for path in candidate.before if path.endswith(".py")])
    return {
        "kind": "search",
        "type": incident.error_type,
        "message": message,
        "places": [
            {"path": p.path, "function": p.function, "line": p.line, "code": p.code} for p in candidate.places
        ],
        "tests": [path for path in python if is_test(path)] + [path for path in python if not is_test(path)],
        "files": [path for path in python if not is_test(path)],
        "calls": calls,
    }


def _nearest(candidate: Candidate, paths: list[str]) -> list[str]:
    """The files that may show how the failing code is called: those nearest to it in the tree, by name."""
    places = [PurePosixPath(place.path).parts[:-1] for place in candidate.places]

    def distance(path: str) -> tuple[int, str]:
        parts = PurePosixPath(path).parts[:-1]
        pairs = (
            itertools.takewhile(lambda pair: pair[0] == pair[1], zip(parts, p, strict=False)) for p in places
        )
        return -max((sum(1 for _ in pair) for pair in pairs), default=0), path

    tests = sorted((path for path in paths if is_test(path)), key=distance)[:_MOST_FILES]
    return sorted([*tests, *sorted((p for p in paths if not is_test(p)), key=distance)[:_MOST_FILES]])


def lines_of(outcome: Outcome) -> list[dict[str, Any]]:
    """The report's lines; the last may be cut when the search was stopped, and nothing hangs on that."""
    found = []
    for text in outcome.report.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            found.append(line)
    return found


def _written(candidate: Candidate, call: dict[str, Any], answer: dict[str, Any]) -> RegressionTest:
    """The test's file: calls the real code, and states what the patched code does with the call."""
    incident, place = candidate.facts.incident, candidate.places[-1]
    imports = [tuple(pair) for pair in call["imports"]]
    error = incident.error_type.rpartition(".")[2]
    body: list[str]
    if "value" in answer:
        value = answer["value"]
        check = {"None": " is None", "True": " is True", "False": " is False"}.get(value, f" == {value}")
        body = [f"assert {call['call']}{check}" if value else call["call"]]
    else:
        module, _, name = answer["raised"]["type"].rpartition(".")
        imports += [("", "pytest"), *([(module, name)] if module else [])]
        body = [f"with pytest.raises({name}):", f"    {call['call']}"]
    code = "\n".join(
        [
            f'"""`{place.function}` in {place.path} raised {error} in production."""',
            "",
            *_import_lines(sorted(set(imports))),
            "",
            "",
            f"def test_{_word(place.function)}_does_not_raise_{_word(error)}():",
            *(f"    {line}" for line in body),
            "",
        ]
    )
    return RegressionTest(_path(candidate), code)


def _import_lines(imports: list[tuple[str, ...]]) -> list[str]:
    """Imports in the order that formatters give: modules first, then names, the repository's own last."""
    plain = [name for module, name in imports if not module]
    standard = [f"import {name}" for name in plain if name != "pytest"]
    standard += [f"from {module} import {name}" for module, name in imports if module in STANDARD.values()]
    by_module: dict[str, list[str]] = {}
    for module, name in imports:
        if module and module not in STANDARD.values():
            by_module.setdefault(module, []).append(name)
    own = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(by_module.items())]
    blocks = [standard, ["import pytest"] if "pytest" in plain else [], own]
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")


def _path(candidate: Candidate) -> str:
    """Beside the repository's tests, named by the incident."""
    folders = Counter(
        str(PurePosixPath(path).parent)
        for path in candidate.before
        if is_test(path) and PurePosixPath(path).name.startswith("test_")
    )
    folder = min(folders, key=lambda name: (-folders[name], name)) if folders else "tests"
    name = f"test_selfheal_{_word(candidate.facts.incident.fingerprint)[:12]}.py"
    return name if folder == "." else f"{folder}/{name}"


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_").lower() or "code"
