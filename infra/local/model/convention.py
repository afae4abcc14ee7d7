"""How the code at hand already deals with what went wrong: its own errors, guards and defaults.

A repair may not invent what should happen; it follows what the file does in the same situation elsewhere.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from functions.core.source.stated_values import stated_values
from infra.local.model import scope
from infra.local.model.naming import phrase, words
from infra.local.model.rule import Crash
from infra.local.model.source import SourceFile, walk

_KIND = frozenset(
    (
        "unknown not found missing no such unsupported undefined invalid bad unrecognized unrecognised error "
        "exception empty malformed"
    ).split()
)
"""Words of an exception's name that say "this is not there, or no good"; the others say what it is about."""

_GENERIC = frozenset(
    "id key code name value item data get find lookup load fetch by self the raw row text".split()
)
"""Words that say nothing about the subject."""


_NOTHING = re.compile(r"\b(?:empty|no|nothing|without)\b")


@dataclass(frozen=True, slots=True)
class DomainRaise:
    """A `raise` statement with an exception of the code's own; `known_by` says how it relates."""

    error: str
    statement: str


def subject(*expressions: str) -> set[str]:
    """The words that say what expressions are about: `RATES[order.region_id]` is {rate, order, region}."""
    return {word for expression in expressions for word in words(expression)} - _GENERIC


def domain_raises(crash: Crash, about: set[str], key: str) -> list[DomainRaise]:
    """`raise` statements for the code's own exceptions whose name says that `about` is missing or bad.

    Only exceptions that the failing file defines or imports, and only those that can be constructed from
    the key alone: as it is done elsewhere, or as their definition shows.
    """
    found = []
    for name in _error_names(crash):
        topic = set(words(name)) - _KIND
        if not topic or not topic <= about:
            continue
        call = _construction(crash, name, key)
        if call:
            found.append(DomainRaise(name, f"raise {call}"))
    return sorted(found, key=lambda r: len(set(words(r.error)) & about), reverse=True)


def _error_names(crash: Crash) -> list[str]:
    """Exceptions that the failing file can raise; not the bases of others, which only serve to catch."""
    imported = set(scope.imported(crash.file))
    names = []
    for file in crash.files.values():
        for definition in file.module.body:
            usable = isinstance(definition, cst.ClassDef) and (
                file is crash.file or definition.name.value in imported
            )
            if usable and isinstance(definition, cst.ClassDef) and _is_error(file, definition):
                names.append(definition.name.value)
    raised = {_raised(r) for r in crash.file.all(cst.Raise)} & imported
    names += sorted(name for name in raised if name and name not in names)
    definitions = [d for file in crash.files.values() for d in file.all(cst.ClassDef)]
    bases = {base.value.value for d in definitions for base in d.bases if isinstance(base.value, cst.Name)}
    return [name for name in names if name not in bases]


def _is_error(file: SourceFile, definition: cst.ClassDef) -> bool:
    for base in definition.bases:
        name = file.code(base.value).rsplit(".", 1)[-1]
        known = getattr(builtins, name, None)
        if (isinstance(known, type) and issubclass(known, Exception)) or name.endswith(
            ("Error", "Exception")
        ):
            return True
        other = scope.definition(file, name)
        if isinstance(other, cst.ClassDef) and other is not definition and _is_error(file, other):
            return True
    return False


def _raised(node: cst.Raise) -> str:
    target = node.exc.func if isinstance(node.exc, cst.Call) else node.exc
    return target.value if isinstance(target, cst.Name) else ""


def _construction(crash: Crash, name: str, key: str) -> str | None:
    """`Name(…)` for the key: like the raises that exist, else as the definition allows."""
    for file in crash.files.values():
        for node in file.all(cst.Raise):
            if _raised(node) == name and isinstance(node.exc, cst.Call) and len(node.exc.args) == 1:
                return _same_style(file, name, node.exc.args[0], key)
    for file in crash.files.values():
        definition = scope.definition(file, name)
        if isinstance(definition, cst.ClassDef):
            init = scope.methods(definition).get("__init__")
            if init is None:
                return f"{name}({_message(name, key)})" if _message(name, key) else None
            required = [p for p in scope.parameters(init)[1:] if p.default is None]
            return f"{name}({key})" if len(required) == 1 else None
    return None


def _same_style(file: SourceFile, name: str, argument: cst.Arg, key: str) -> str | None:
    if argument.keyword or argument.star:
        return None
    value = argument.value
    if isinstance(value, cst.SimpleString):
        return f"{name}({file.code(value)})"
    if isinstance(value, cst.FormattedString):
        holes = [p for p in value.parts if isinstance(p, cst.FormattedStringExpression)]
        inner = _quoted_inside(key, value.quote)
        if len(holes) != 1 or inner is None:
            return None
        text = file.code(value).replace(file.code(holes[0].expression), inner, 1)
        return f"{name}({text})"
    return f"{name}({key})" if scope.is_plain(value) else None


def _message(name: str, key: str) -> str | None:
    """An f-string that names the key."""
    text = phrase(name).removesuffix(" error").removesuffix(" exception")
    inner = _quoted_inside(key, '"')
    return f'f"{text}: {{{inner}!r}}"' if inner else None


def _quoted_inside(key: str, quote: str) -> str | None:
    """The key as it may stand inside an f-string of that quote, before Python 3.12: with the other quotes."""
    other = "'" if quote == '"' else '"'
    if quote not in key:
        return key
    return key.replace(quote, other) if len(quote) == 1 and other not in key else None


@dataclass(frozen=True, slots=True)
class Guard:
    """An `if` of the file with a body of one `raise`, `return` or `continue`, and the function it is in."""

    function: cst.FunctionDef
    tested: cst.BaseExpression
    outcome: cst.BaseSmallStatement


def none_guards(file: SourceFile) -> Iterator[Guard]:
    """Guards `if x is None:` and `if not x:`."""
    for node in file.all(cst.If):
        test = node.test
        tested: cst.BaseExpression | None = None
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            tested = test.expression
        elif (
            isinstance(test, cst.Comparison)
            and len(test.comparisons) == 1
            and isinstance(test.comparisons[0].operator, cst.Is | cst.Equal)
            and file.code(test.comparisons[0].comparator) in {"None", "0", "''", '""', "[]"}
        ):
            tested = test.left
            if isinstance(tested, cst.Call) and file.code(tested.func) == "len" and tested.args:
                tested = tested.args[0].value
        function = file.enclosing(node, cst.FunctionDef)
        outcome = scope.sole_body(node.body)
        if (
            tested
            and function
            and not node.orelse
            and isinstance(outcome, cst.Raise | cst.Return | cst.Continue)
        ):
            yield Guard(function, tested, outcome)


def renamed(file: SourceFile, node: cst.CSTNode, mapping: dict[str, str]) -> str:
    """The node's text with names replaced; attribute names and keyword labels stay."""
    if isinstance(node, cst.Name):
        return mapping.get(node.value, node.value)
    replaced = node.visit(_Rename(mapping))
    return file.code(replaced) if isinstance(replaced, cst.CSTNode) else file.code(node)


class _Rename(cst.CSTTransformer):
    def __init__(self, mapping: dict[str, str]) -> None:
        super().__init__()
        self._mapping = mapping

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:  # noqa: N802 - libcst's naming
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:  # noqa: N802 - libcst's naming
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:  # noqa: N802 - libcst's naming
        code = self._mapping.get(original_node.value)
        return cst.parse_expression(code) if code else updated_node


def empty_outcomes(crash: Crash, about: str) -> list[str]:
    """What to do when the sequence or count `about` is empty, as the file's own guards do it.

    A guard counts when its outcome names nothing but module-level names and the guarded value, and, for a
    `return`, when both functions declare the same return type.
    """
    here = crash.function
    if here is None:
        return []
    note = scope.annotation(crash.file, here)
    found: list[str] = []
    for guard in none_guards(crash.file):
        if isinstance(guard.outcome, cst.Continue) or guard.function is here:
            continue
        other = scope.annotation(crash.file, guard.function)
        if isinstance(guard.outcome, cst.Return) and (not note or other != note):
            continue
        tested = crash.file.code(guard.tested)
        free = scope.names_in(guard.outcome) - scope.module_names(crash.file) - scope.BUILTINS
        if free - {tested}:
            continue
        text = renamed(crash.file, guard.outcome, {tested: about})
        if text not in found:
            found.append(text)
    return found


def stated_for_nothing(crash: Crash) -> str | None:
    """The one value that the docstring gives for an input that holds nothing: `0 for no orders`."""
    text = crash.function.get_docstring() if crash.function else None
    values, sentence = stated_values(text or "", {})
    return ast.unparse(values[0]) if len(values) == 1 and _NOTHING.search(sentence) else None


def default_constant(crash: Crash, about: set[str]) -> str | None:
    """The one module-level constant named a default of `about` says: `DEFAULT_RATE` for {tax, rate}."""
    found = []
    for name in scope.constants(crash.file):
        parts = words(name)
        topic = [w for w in parts if w not in {"default", "fallback"}]
        if name.isupper() and len(topic) < len(parts) and topic and set(topic) <= about:
            found.append(name)
    return found[0] if len(found) == 1 else None


def zero_of(note: str) -> str | None:
    """The zero of an annotated numeric type."""
    return {"float": "0.0", "int": "0", "Decimal": "Decimal(0)"}.get(note)


def words_of(file: SourceFile, *nodes: cst.CSTNode) -> set[str]:
    """`subject` of nodes; string literals count as the names that they are."""
    texts = [n.value for node in nodes for n in walk(node, cst.Name)]
    texts += [value for node in nodes for s in walk(node, cst.SimpleString) if (value := scope.literal(s))]
    return subject(*texts)
