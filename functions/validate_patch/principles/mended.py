"""What the calls that failed give after the patch, and what is usual beside them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from functions.core.source.syntax_tree import functions_around, functions_of, module_constants, same_code
from functions.harness.proof import Proof
from functions.harness.test_runs import same_type
from functions.validate_patch.candidate import Candidate, FrameLocation, parsed
from functions.validate_patch.principles.added import additions
from functions.validate_patch.principles.results import (
    Path,
    Unwritten,
    function_in,
    given,
    is_nothing,
    placed,
    same,
    says_what_is_wrong,
    shown_of,
    value_of,
)
from functions.validate_patch.principles.sources import Sources

_OFTEN = 0.3


@dataclass(frozen=True, slots=True)
class MendedCall:
    """What a call that failed gives after the patch."""

    call: str
    value: Any
    left: str = ""
    """What it leaves of its arguments, and of its object, if it changes them."""


Pair = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A call that failed, and what it does now."""


class MendedCalls:
    """The answers that tell most, those that worked, and what the patch adds."""

    def __init__(self, candidate: Candidate, proof: Proof) -> None:
        self._candidate = candidate
        incident = candidate.context.incident
        self._message = incident.title.partition(": ")[2]
        self._place = _changed_place(candidate)
        self.sources = Sources(candidate, self._place, self._message)
        self.added = additions(candidate)
        mended = proof.calls.mended if proof.calls is not None else ()
        self.failing = len(mended)
        """How many calls that failed as the incident did were made up."""
        pairs = self._told(mended)
        self._exact = {str(call["call"]) for call, _ in pairs if call.get("exact")}
        answers = [
            MendedCall(str(call["call"]), value_of(shown_of(now)), str(now.get("left", "")))
            for call, now in pairs
            if shown_of(now)
        ]
        self.answers = [answer for answer in answers if not says_what_is_wrong(answer.value)]
        self.refusals = len(answers) - len(self.answers)
        self.raises = [(call, now) for call, now in pairs if _refuses(now, incident.error_type)]
        worked = proof.calls.worked if proof.calls is not None else ()
        same_function = {function_in(answer.call) for answer in self.answers}
        self.worked = [
            MendedCall(str(now["call"]), value_of(shown_of(was)))
            for now, was in worked
            if shown_of(was) and function_in(str(now["call"])) in same_function
            # An input that is made of what the patch adds says nothing of what is usual.
            if not self._made_of_additions(str(now["call"]))
        ]

    def _told(self, mended: Sequence[Pair]) -> list[Pair]:
        """The calls that tell most: of the function that the patch changes, of the one that failed, or any,
        where one of these now ends otherwise."""
        functions = (self.sources.function, self._candidate.places[-1].function)
        error = self._candidate.context.incident.error_type
        for name in functions:
            pairs = [pair for pair in mended if function_in(str(pair[0]["call"])) == name]
            if any(shown_of(now) or _refuses(now, error) for _, now in pairs):
                return pairs
        return list(mended)

    def _made_of_additions(self, call: str) -> bool:
        texts = [c for c in self._constants if isinstance(c, str) and c]
        return any(same(text, value) for text in texts for value in given(call))

    @property
    def where(self) -> str:
        after = parsed(self._candidate.after, self._place.path)
        name = self.sources.function
        nodes = functions_of(after).items() if after is not None else ()
        line = next((n.lineno for key, n in nodes if key.rpartition(".")[2] == name), self._place.line)
        return f"{self._place.path}:{line}"

    @cached_property
    def _usual(self) -> list[tuple[Path, Any]]:
        """What calls that worked give, part by part."""
        return [part for answer in self.worked for part in placed(answer.value)]

    def _is_usual(self, path: Path, value: Any) -> bool:
        """Whether calls that worked give this at this place; of nothing, many have to."""
        here = [other for where, other in self._usual if where == path]
        alike = sum(same(value, other) for other in here)
        return alike > len(here) * _OFTEN if is_nothing(value) else alike > 0

    def _names_of(self, value: Any) -> list[str]:
        """Names of constants with this value that the patch adds, and keys of tables where it stands."""
        found = [name for name, node in self._named if same(value_in(node), value)]
        for table, key, held in self._entries:
            if same(value_in(held), value):
                found += filter(None, (_key_name(key), table if "default" in table.lower() else ""))
        return [*found, *(name for key in found for name, node in self._named if same(value_in(node), key))]

    @cached_property
    def _named(self) -> list[tuple[str, ast.expr]]:
        """Constants of the repository that the patch adds the names of."""
        wanted = {item.name for item in self.added if item.name}
        modules = self._candidate.modules_binding(wanted)
        return [
            pair for _, module in modules for pair in module_constants(module).items() if pair[0] in wanted
        ]

    @cached_property
    def _entries(self) -> list[tuple[str, ast.expr, ast.expr]]:
        """(table, key, value) of the dictionaries that the failing function's file has as constants."""
        module = parsed(self._candidate.before, self._place.path)
        return [
            (name, key, value)
            for name, node in (module_constants(module).items() if module is not None else ())
            if isinstance(node, ast.Dict)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        ]

    def _stated(self, value: Any) -> str:
        return self.sources.of(value, self._names_of(value))

    @cached_property
    def _functions(self) -> tuple[ast.AST | None, ast.AST | None]:
        """The failing function, as fetched and as patched."""
        trees = (self._candidate.before, self._candidate.after)
        modules = [parsed(tree, self._place.path) for tree in trees]
        name = self.sources.function
        found = [
            [f for key, f in functions_of(module).items() if key.rpartition(".")[2] == name]
            for module in modules
            if module is not None
        ]
        return (found[0][-1], found[1][-1]) if len(found) == 2 and all(found) else (None, None)

    @cached_property
    def _constants(self) -> list[Any]:
        return [item.value for item in self.added if not item.name]


def _refuses(now: Mapping[str, Any], error: str) -> bool:
    """Whether a call ends in another error than the incident's, or in one that says what is wrong."""
    return "raised" in now and (bool(now.get("deliberate")) or not same_type(error, now["raised"]["type"]))


def _changed_place(candidate: Candidate) -> FrameLocation:
    """The innermost function of the traceback that the patch changes; else the innermost."""
    for place in reversed(candidate.places):
        old, new = parsed(candidate.before, place.path), parsed(candidate.after, place.path)
        if old is None or new is None:
            continue
        after = functions_of(new)
        for name, function in functions_around(old, place.line)[-1:]:
            if name in after and not same_code(after[name], function):
                return place
    return candidate.places[-1]


def value_in(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return value_of(ast.unparse(node)) if isinstance(node, ast.Call) else Unwritten(ast.unparse(node))


def _key_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return str(node.value) if isinstance(node, ast.Constant) else ""
