"""It aims at the incident: something on the way of the failing calls changes, and nothing else."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from functions.core.source.syntax_tree import (
    Function,
    functions_of,
    imports_of,
    names_in,
    nodes_of,
    same_code,
)
from functions.core.untrusted.redaction import redact
from functions.harness.names import is_test
from functions.harness.proof import Proof
from functions.harness.test_runs import same_type
from functions.validate_patch.candidate import Candidate, FrameLocation, parsed
from functions.validate_patch.principles.finding import Example, Finding, Principle, Severity
from functions.validate_patch.principles.results import function_in


def judge(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """What does not change what failed, and what changes besides."""
    reason = _no_fix(candidate)
    if reason:
        yield Finding(Severity.REFUSE, reason)
        return
    yield from (Finding(Severity.REFUSE, text, where) for where, text in _unrelated(candidate))
    yield from list(_still_failing(candidate, proof))[:1]


def _still_failing(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """Calls that failed exactly as the incident did, and still do, whatever a test of the patch says: if all
    of them do, nothing is mended; most of them may not where the error tells which input it is of.

    Only where the patch changes the function that failed: else it may be meant not to be called so any more.
    """
    if proof.reproduction is not None and proof.reproduction.refuted:
        yield Finding(Severity.QUESTION, redact(proof.reproduction.reason))
    if proof.calls is None or not candidate.places or not _changes(candidate, candidate.places[-1]):
        return
    message = " ".join(candidate.context.incident.title.partition(": ")[2].split())
    exact = [(call, now) for call, now in proof.calls.mended if call.get("exact")]
    # The incident came in by the outermost function: what that one no longer hands on does not matter.
    outer = [pair for pair in exact if function_in(str(pair[0]["call"])) == candidate.places[0].function]
    still = [pair for pair in outer or exact if _is_again(candidate, message, pair[1])]
    every = all(_is_again(candidate, message, now) for _, now in exact) and not singles_out(candidate)
    if still and (every or (names_a_value(message) and 2 * len(still) > len(outer or exact))):
        call = redact(str(still[0][0]["call"]))
        text = f"{call} failed as the incident did, and still raises {still[0][1]['raised']['type']}"
        yield Finding(Severity.REFUSE if every else Severity.QUESTION, redact(text[:300]), calls=(call,))


def _is_again(candidate: Candidate, message: str, now: Mapping[str, Any]) -> bool:
    """Whether a call ends as the incident did."""
    raised = now.get("raised")
    if raised is None or now.get("deliberate"):
        return False
    own = [frame for frame in raised["frames"] if not frame[0].startswith(("/", "<"))]
    same = " ".join(raised["message"].split()) == message
    alike = same and same_type(candidate.context.incident.error_type, raised["type"])
    return alike and bool(own) and bool(own[-1][2] == candidate.places[-1].function)


def names_a_value(message: str) -> bool:
    """Whether an error's message tells which input it is of: one without may be of another input, too."""
    return re.search(r"['\"]|^-?\d+$", message) is not None


def singles_out(candidate: Candidate) -> bool:
    """Whether the patch compares with a value that the code did not compare with: what it mends is only what
    has that value, and the search may not have found such a call."""
    old, new = (
        Counter(
            repr(part.value)
            for change in candidate.python_changes
            if not is_test(change.path)
            for node in nodes_of(parsed(tree, change.path) or ast.Module([], []))
            if isinstance(node, ast.Compare)
            for part in (node.left, *node.comparators)
            if isinstance(part, ast.Constant) and part.value
        )
        for tree in (candidate.before, candidate.after)
    )
    return bool(new - old)


def _changes(candidate: Candidate, place: FrameLocation) -> bool:
    """Whether the function at a place is another after the patch."""
    old, new = (
        [ast.dump(f) for n, f in functions_of(tree).items() if n.rpartition(".")[2] == place.function]
        if (tree := parsed(side, place.path)) is not None
        else []
        for side in (candidate.before, candidate.after)
    )
    return old != new


def _no_fix(candidate: Candidate) -> str:
    """Why the error stays: nothing changes but comments, layout, tests, or code that has no part in it."""
    if any(not change.path.endswith(".py") for change in candidate.changes):
        return ""
    code = [change for change in candidate.python_changes if not is_test(change.path)]
    pairs = [candidate.differing(change) for change in code]
    changed = [_changed(old, new) for old, new in pairs if new is not None]
    if not any(changed):
        return "the patch changes no code outside of tests, so the error stays"
    reached = _reached(candidate) | _owners(candidate) if candidate.places else set()
    if candidate.places and not any(_touches(reached, names) for names in changed):
        where = candidate.places[-1].function
        return f"the patch changes nothing that {where} or its callers use, so the error stays"
    return ""


def _owners(candidate: Candidate) -> set[str]:
    """Names of the classes whose methods the traceback passed through: what they hold may be the cause."""
    found: set[str] = set()
    for place in candidate.places:
        module = parsed(candidate.before, place.path)
        names = functions_of(module) if module is not None else {}
        found |= {part for name in names if name.endswith(f".{place.function}") for part in name.split(".")}
    return found


def _touches(reached: set[str], changed: set[str]) -> bool:
    """Whether a definition, or an import, that the failing functions use is new or another."""
    # Statements of a module that define nothing, such as a guard at its end, may do anything.
    used = any({name.partition(".")[0], name.rpartition(".")[2]} & reached for name in changed)
    return used or changed == {_REST}


def _unrelated(candidate: Candidate) -> Iterator[tuple[str, str]]:
    """Changed definitions that neither the functions in the traceback nor what they use have to do with."""
    if not candidate.places:
        return
    reached = _reached(candidate)
    classes = reached | _owners(candidate)
    for change in candidate.python_changes:
        before, after = candidate.differing(change)
        if before is None or after is None or is_test(change.path):
            continue
        new, methods = _definitions(after), functions_of(before)
        for name in sorted(_changed(before, after) & _definitions(before).keys() - {_REST}):
            last = name.rpartition(".")[2]
            top, dot, _ = name.partition(".")
            # Of a class that is used, what is not named counts only where the language itself calls it.
            held = top in classes and (not dot or name not in methods or last.startswith("__"))
            if last not in reached and not held:
                verb = "changes" if name in new else "removes"
                said = f"it {verb} {name}, which the functions in the traceback do not use"
                yield change.path, f"{said}; change only what the incident needs"


@lru_cache(maxsize=4)
def _reached(candidate: Candidate) -> set[str]:
    """Names of the functions in the traceback, of what they use, and of what that uses."""
    names: set[str] = set()
    beside: set[str] = set()
    for place in candidate.places:
        names.add(place.function)
        module = parsed(candidate.before, place.path)
        if module is None or place.function == "<module>":
            return names | candidate.binders.keys()
        for name, function in functions_of(module).items():
            if name.rpartition(".")[2] == place.function:
                names |= names_in(function) | {place.function}
                beside |= _sharing_state(module, name)
        if place.function.startswith("<"):  # a lambda or comprehension: the line is all there is to go by
            names |= _names_at(module, place.line)
    for nodes in definitions_of(candidate, names).values():
        for node in nodes:
            names |= names_in(node)
    return names | beside


def _sharing_state(module: ast.Module, method: str) -> set[str]:
    """Methods of the same class that keep on `self` what a method reads: the cause may be what they keep."""
    functions, owner = functions_of(module), method.rpartition(".")[0]
    read = _kept(functions[method]) if owner else set()
    called = {f"{owner}.{name}" for name in read} & functions.keys()
    for name in called:
        read |= _kept(functions[name])
    return {
        name.rpartition(".")[2]
        for name, function in functions.items()
        if owner and name.rpartition(".")[0] == owner and read & _kept(function)
    }


def _kept(function: ast.AST) -> set[str]:
    """Names of the attributes of `self` that a function reads."""
    return {
        node.attr
        for node in nodes_of(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _names_at(module: ast.Module, line: int) -> set[str]:
    found: set[str] = set()
    for statement in nodes_of(module):
        if isinstance(statement, ast.stmt) and statement.lineno <= line <= (statement.end_lineno or 0):
            found |= names_in(statement)
    return found


def definitions_of(candidate: Candidate, names: set[str]) -> dict[str, list[ast.AST]]:
    """Name → definitions anywhere in the repository's code."""
    found: dict[str, list[ast.AST]] = {}
    for _, module in candidate.modules_binding(names):
        for node in nodes_of(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(node.value)
    return {name: nodes for name, nodes in found.items() if name in names}


_REST = ""
"""Stands for a module's statements that define nothing."""


def _changed(before: ast.Module | None, after: ast.Module) -> set[str]:
    """Names of what a file defines or imports and the other does not, or otherwise; docstrings aside."""
    old, new = ({**_definitions(m), **_imports(m)} if m is not None else {} for m in (before, after))
    return {name for name in old.keys() | new.keys() if not _alike(old.get(name, ()), new.get(name, ()))}


def _alike(one: Sequence[ast.AST], other: Sequence[ast.AST]) -> bool:
    return len(one) == len(other) and all(map(same_code, one, other))


def _imports(module: ast.Module) -> dict[str, Sequence[ast.AST]]:
    """Local name → where it is imported from."""
    return {imported.local: [imported.node] for imported in imports_of(module)}


@lru_cache(maxsize=16)
def _definitions(module: ast.Module) -> dict[str, Sequence[ast.AST]]:
    """Qualified name → its code, of functions, class headers and assignments at module and class level."""
    found: dict[str, Sequence[ast.AST]] = {}
    for name, function in functions_of(module).items():
        kind, returns = ast.Constant(type(function).__name__), function.returns or ast.Constant(None)
        found[name] = [kind, function.args, returns, *function.decorator_list, *_code(function)]

    def assignments(node: ast.Module | ast.ClassDef, prefix: str) -> None:
        for statement in _code(node):
            if isinstance(statement, ast.ClassDef):
                found[prefix + statement.name] = [*statement.bases, *statement.decorator_list]
                assignments(statement, f"{prefix}{statement.name}.")
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                found.update({f"{prefix}{ast.unparse(target)}": [statement] for target in targets})
            elif not isinstance(statement, Function | ast.Import | ast.ImportFrom):
                found[prefix] = [*found.get(prefix, ()), statement]

    assignments(module, _REST)
    return found


def _code(node: Function | ast.Module | ast.ClassDef) -> Sequence[ast.stmt]:
    """The statements of a block, without its docstring."""
    return node.body[int(ast.get_docstring(node, clean=False) is not None) :]


_MEAN = "def other():\n    return 1\n\n\ndef mean(values):\n    return sum(values) / len(values)\n"
_EXAMPLES = (
    Example(
        _MEAN,
        _MEAN.replace("return sum", "if not values:\n        return 0\n    return sum"),
        "ZeroDivisionError: division by zero",
    ),
    Example(
        _MEAN,
        _MEAN.replace("return 1", "return 2").replace("len(values)", "len(values or [0])"),
        "ZeroDivisionError: division by zero",
        objects=Severity.REFUSE,
    ),
    Example(
        _MEAN,
        _MEAN.replace("def mean", "# mended\ndef mean"),
        "ZeroDivisionError: division by zero",
        objects=Severity.REFUSE,
    ),
)

AIMS_AT_THE_INCIDENT = Principle(
    "aims",
    "Something on the way of the failing calls changes, and nothing else.",
    judge,
    _EXAMPLES,
)
