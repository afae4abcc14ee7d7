"""What a runner is asked to find out about a candidate."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from functions.core.incidents.incident import Incident
from functions.core.source import archive
from functions.core.source.archive import Member, MemberKind
from functions.core.source.syntax_tree import functions_around, functions_of, module_constants, nodes_of
from functions.harness.job import Job
from functions.harness.names import is_test
from functions.harness.regression import word
from functions.harness.search.edges import Constant, constants_in
from functions.harness.search.targets import module_name
from functions.validate_patch import regression_tests, scope
from functions.validate_patch.candidate import Candidate, FrameLocation, parsed
from functions.validate_patch.mutants import mutants
from functions.validate_patch.pieces import added
from functions.validate_patch.tree import EXECUTABLE, SYMLINK, File, Tree, changes_between

TIMES = 3
"""Runs of a regression test per tree; one that differs makes it flaky, which is a failure."""
TEST_SECONDS = 30.0
CALLS = 4000
"""Calls tried before giving up. Most incidents of the crash corpus are found within 50."""
# Of each kind, code and tests: what is read for classes and examples, once per search.
_MOST_FILES = 300
_MOST_CHANGED, _MOST_CONSTANTS = 6, 40
"""Functions beside those of the traceback that are called on both trees; lines that the patch draws."""


def asked(
    candidate: Candidate,
    *,
    test_seconds: float = TEST_SECONDS,
    suite_seconds: float = regression_tests.SECONDS,
) -> dict[str, Any]:
    """See `functions.harness.experiment.experiment`. The same candidate gives the same.

    test_seconds: for each run of a regression test; suite_seconds: for each run of the repository's tests.
    """
    search = _search(candidate)
    found = found_path(candidate)
    return {
        "incident": incident_of(candidate),
        "tests": list(tests_in(candidate)),
        "times": TIMES,
        "seconds": test_seconds,
        "search": search,
        "found": found,
        "objection": _objection(candidate, found),
        "known": _known(candidate),
        "mutants": mutants(candidate),
        "by_callers": mended_by_callers(candidate),
        "suite": regression_tests.asked(candidate, suite_seconds),
        "defined": _defined(candidate, search["files"]),
        "survey": {**search, "places": _moved(candidate, search["places"])},
        "changed": {**search, "places": _changed(candidate)},
        "pieces": [[piece.path, list(piece.span)] for piece in added(candidate)],
        "others": regression_tests.relevant_tests(candidate),
        "joined": [_joined(candidate, other) for other in candidate.context.joined],
    }


def job_of(
    candidate: Candidate,
    experiment: dict[str, Any],
    nonce: str,
    dependencies: bytes = b"",
    **bounds: Any,
) -> Job:
    """The job for a runner. dependencies: their archive. bounds: other fields of the job."""
    given: dict[str, Any] = {"python": candidate.context.python.version, **bounds}
    return Job(
        nonce=nonce,
        experiment=experiment,
        before=archive.pack(_members(candidate.before)),
        after=archive.pack(_members(candidate.after)),
        dependencies=dependencies,
        **given,
    )


def tests_in(candidate: Candidate) -> tuple[str, ...]:
    """Test files that can serve as the reproduction: the proposal's, else those the patch adds or edits."""
    if candidate.proposal.regression_test is not None:
        return (candidate.proposal.regression_test.path,)
    return tuple(
        change.path
        for change in candidate.python_changes
        if change.after is not None and is_test(change.path) and not change.path.endswith("conftest.py")
    )


def _known(candidate: Candidate) -> dict[str, list[str]]:
    """Test file that the patch changes → names of the tests in it that it leaves as they were."""
    found = {}
    for path in tests_in(candidate):
        old, new = (parsed(tree, path) for tree in (candidate.before, candidate.after))
        if old is not None and new is not None:
            was = {name: ast.dump(node) for name, node in functions_of(old).items()}
            now = functions_of(new).items()
            found[path] = sorted(
                name.rpartition(".")[2] for name, node in now if was.get(name) == ast.dump(node)
            )
    return found


def with_tests(candidate: Candidate, tests: Iterable[tuple[str, str]]) -> Candidate:
    """The candidate with test files that were found: path, text."""
    tree = {**candidate.after, **{path: File(text.encode()) for path, text in tests}}
    return replace(candidate, after=tree, changes=changes_between(candidate.before, tree))


def found_path(candidate: Candidate) -> str:
    """Where a test that is found goes: beside the repository's tests, named by the incident."""
    folders = Counter(
        str(PurePosixPath(path).parent)
        for path in candidate.before
        if is_test(path) and PurePosixPath(path).name.startswith("test_")
    )
    folder = min(folders, key=lambda name: (-folders[name], name)) if folders else "tests"
    name = f"test_selfheal_{word(candidate.context.incident.fingerprint)[:12]}.py"
    return name if folder == "." else f"{folder}/{name}"


def _objection(candidate: Candidate, path: str) -> str:
    """Why no test may be added there, or "". What it says is not known yet; that it is text and short is."""
    return next(iter(scope.findings(with_tests(candidate, [(path, "\n")]))), "")


def incident_of(candidate: Candidate) -> dict[str, Any]:
    """The incident as an experiment knows it."""
    incident = candidate.context.incident
    message = incident.title.partition(": ")[2] if incident.title.startswith(incident.error_type) else ""
    places = [
        {"path": p.path, "function": p.function, "line": p.line, "code": p.code} for p in candidate.places
    ]
    return {"type": incident.error_type, "message": message, "places": places}


def _search(candidate: Candidate) -> dict[str, Any]:
    """What to search, for the worker (see `functions.harness.search.explore.explore`)."""
    python = _nearest(candidate, [path for path in candidate.before if path.endswith(".py")])
    return {
        "kind": "search",
        **incident_of(candidate),
        "tests": [path for path in python if is_test(path)] + [path for path in python if not is_test(path)],
        "files": [path for path in python if not is_test(path)],
        "calls": CALLS,
        # Of tests that the patch changes nothing runs beside the calls: it could tell a story of its own.
        "helpers": [p for p in python if is_test(p) and candidate.after.get(p) == candidate.before[p]],
        "constants": _constants(candidate),
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


def _moved(candidate: Candidate, places: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The places as the patch leaves them; their constants tell what to try."""
    found = []
    for place in places:
        old, new = (parsed(tree, place["path"]) for tree in (candidate.before, candidate.after))
        holding = functions_around(old, place["line"]) if old else []
        moved = functions_of(new).get(holding[-1][0]) if new and holding else None
        if moved is not None:
            found.append({**place, "line": moved.lineno})
    return found


def _changed(candidate: Candidate) -> list[dict[str, Any]]:
    """Other functions that the patch changes, as it leaves them, then those of the same file that use what it
    changes: what worked in these stays, too."""
    known = {(place.path, place.function) for place in candidate.places}
    changed, using = [], []
    for path, old, new in _both(candidate):
        was, names = functions_of(old), _rebound(old, new)
        names |= {
            name for name, node in functions_of(new).items() if name in was and _differ(was[name], node)
        }
        for name, function in functions_of(new).items():
            last = name.rpartition(".")[2]
            place = {"path": path, "function": last, "line": function.lineno, "code": ""}
            if name in was and (path, last) not in known:
                if name in names:
                    changed.append(place)
                elif names & {node.id for node in nodes_of(function) if isinstance(node, ast.Name)}:
                    using.append(place)
    return [*changed, *using][:_MOST_CHANGED]


def _both(candidate: Candidate) -> Iterator[tuple[str, ast.Module, ast.Module]]:
    """Files of code that the patch changes: path, before, after."""
    for change in candidate.python_changes:
        old, new = (parsed(tree, change.path) for tree in (candidate.before, candidate.after))
        if old is not None and new is not None and not is_test(change.path):
            yield change.path, old, new


def _differ(old: ast.AST | None, new: ast.AST | None) -> bool:
    return (ast.dump(old) if old else "") != (ast.dump(new) if new else "")


def _rebound(old: ast.Module, new: ast.Module) -> set[str]:
    """Names at module level that are bound to something else."""
    was, now = module_constants(old), module_constants(new)
    return {name for name in was.keys() | now.keys() if _differ(was.get(name), now.get(name))}


def _constants(candidate: Candidate) -> list[Constant]:
    """What the parts of the code that the patch changes compare with, before and after it."""
    found: list[Constant] = []
    for _, old, new in _both(candidate):
        parts = [{**functions_of(tree), **module_constants(tree)} for tree in (old, new)]
        names = [name for name in {**parts[0], **parts[1]} if _differ(*(part.get(name) for part in parts))]
        found += [c for name in names for part in parts if name in part for c in constants_in(part[name])]
    return list({(type(constant), constant): constant for constant in found}.values())[:_MOST_CONSTANTS]


def mended_by_callers(candidate: Candidate) -> bool:
    """Whether the patch leaves the innermost function and changes what one that led to it gives it."""
    changed = [changes(candidate, place) for place in candidate.places]
    return any(changed[:-1]) and not changed[-1]


def changes(candidate: Candidate, place: FrameLocation) -> bool:
    """Whether the patch changes the function of a frame."""
    trees = (parsed(candidate.before, place.path), parsed(candidate.after, place.path))
    old, new = (
        [ast.dump(f) for n, f in functions_of(tree).items() if n.rpartition(".")[2] == place.function]
        if tree is not None
        else []
        for tree in trees
    )
    return old != new


def _joined(candidate: Candidate, other: Incident) -> dict[str, Any]:
    """See `functions.harness.reproducing.reproduce_joined`."""
    view = replace(candidate, context=replace(candidate.context, incident=other))
    shared = _shared(candidate.places, view.places)
    own = view.places[: len(view.places) - shared]
    through = [own[-1].path, own[-1].line, own[-1].function] if shared and own else None
    common = view.places[len(own) :]
    return {
        "id": other.incident_id,
        "incident": {**incident_of(view), "through": through},
        "found": found_path(view),
        "by_callers": mended_by_callers(view),
        "skip": len({(place.path, place.function) for place in common}) if through else 0,
        "shared": any(changes(candidate, place) for place in common),
    }


def _shared(one: Sequence[FrameLocation], other: Sequence[FrameLocation]) -> int:
    """How many of the innermost frames are the same line of the same function."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    differ = (number for number, (was, now) in enumerate(pairs) if was != now)
    return next(differ, min(len(one), len(other)))


def _defined(candidate: Candidate, paths: Iterable[str]) -> dict[str, list[str]]:
    """Module → the functions and classes at its top level, as fetched and as patched."""
    found: dict[str, set[str]] = {}
    for path in {*paths, *(place.path for place in candidate.places)}:
        for tree in (candidate.before, candidate.after):
            names = _DEFINES.findall(tree[path].data) if path in tree else ()
            found.setdefault(module_name(path), set()).update(map(bytes.decode, names))
    return {module: sorted(names) for module, names in sorted(found.items())}


_DEFINES = re.compile(rb"^(?:async[ \t]+)?(?:def|class)[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
"""By lines: to parse hundreds of files takes a second, and a name too many is one that no import finds."""


def _members(tree: Tree) -> list[Member]:
    kinds = {SYMLINK: MemberKind.SYMLINK, EXECUTABLE: MemberKind.EXECUTABLE}
    return [Member(path, file.data, kinds.get(file.mode, MemberKind.FILE)) for path, file in tree.items()]
