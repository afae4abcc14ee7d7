"""What the documentation says of a silent outcome: docstrings, comments, documents, names of tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from functions.harness.names import is_test
from functions.validate_patch.candidate import parsed
from functions.validate_patch.honest import values
from functions.validate_patch.honest.view import Function, View, dotted, functions_of, names_in

_ABSENCE = re.compile(
    r"\b(?:default\w*|optional\w*|missing|absent|without|empty|omit\w*|unless|unknown|unset|none|null|otherwise"
    r"|if not|not given|no\b|when there (?:is|are) no|may be|can be|fall\w* back|skip\w*|ignor\w*"
    r"|not listed|unlisted|nothing|nobody)"
)
_OPTIONAL = re.compile(
    r"\b(?:optional\w*|omitted|may be (?:missing|absent|empty|none|null|left out|omitted)|can be)\b"
)
_MISSING = re.compile(r"\b(?:missing|absent|without)\b")
_SKIPS = re.compile(
    r"\b(?:skip\w*|ignor\w*|leav\w* out|left out|drop\w*|exclud\w*|only|forget\w*|remov\w*)\b"
)
_LEAVING_OUT = re.compile(r"(?:skip|ignor|leave out|drop|exclud|forget|remov|filter|discard)\w*\b")
_LEFT = re.compile(r"\b(?:ignored|skipped|left out)\b")
_ENDS = re.compile(r"\b(?:last|until|ends?|stops?|no more)\b")
_MALFORMED = re.compile(
    r"\b(?:not an?|invalid|malformed|cannot|can't|un\w+able|other\w*|else|unless|default)\b"
)
_BLANK = re.compile(r"\b(?:blanks?|empty)\b")
_REFUSES = re.compile(r"\b(?:rais\w*|errors?|refus\w*|reject\w*|invalid|[45]\d\d)\b")
_GENERIC = frozenset(
    {"self", "cls", "get", "data", "value", "item", "result", "key", "row", "obj", "len", "str", "int"}
)
_DOCUMENTS = (".md", ".rst", ".txt")


@dataclass(frozen=True, slots=True)
class Silent:
    """A silent outcome: `kind` is `return`, `value`, `skip` or `end`; `key` names what is missing."""

    node: ast.AST
    kind: str
    value: ast.expr | None
    key: str = ""


def documented(view: View, silent: Silent) -> bool:
    """Whether the documentation speaks of the subject, of its absence, and of this outcome."""
    function = view.function(silent.node)
    subject = _subject(view, silent, function)
    malformed = _converts(silent.node)
    named = {word for word in (function.name.lower().split("_") if function else ()) if len(word) > 2}
    for sentence in _own_documentation(view, function):
        if _own_says(sentence, silent, named) and not (malformed and not _MALFORMED.search(sentence)):
            return True
    for sentence in _other_documentation(view, silent):
        if not _speaks_of(sentence, subject) or (malformed and not _MALFORMED.search(sentence)):
            continue
        if silent.kind == "end" and _ENDS.search(sentence) and _ABSENCE.search(sentence):
            return True
        if _BLANK.search(sentence) and silent.value is None and not _only_blank(view, silent):
            continue
        if _ABSENCE.search(sentence) and _says(sentence, silent, named):
            return True
        if silent.value is not None and values.is_false(silent.value):
            nothing = silent.kind == "value" and not values.is_none(silent.value)
            # That an input may be missing is enough for nothing in its place, unless it is refused.
            absent = nothing and _MISSING.search(sentence) and not re.search(r"\d", sentence)
            counted = silent.kind == "return" and not values.is_none(silent.value)
            iterated = isinstance(silent.value, ast.List | ast.Tuple | ast.Dict)
            left = (counted or iterated) and _LEFT.search(sentence)
            marked = (
                values.is_none(silent.value) and _LEFT.search(sentence) and _caller_changes(view, function)
            )
            if left or marked:
                return True
            if _OPTIONAL.search(sentence) or (absent and not _REFUSES.search(sentence)):
                return True
    return False


def _converts(node: ast.AST) -> bool:
    """Whether a handler catches what is malformed: that something may be absent says nothing of that."""
    kinds = ast.unparse(node.type) if isinstance(node, ast.ExceptHandler) and node.type is not None else ""
    return bool(re.search(r"\b(?:ValueError|ArithmeticError|InvalidOperation|\w*DecodeError)\b", kinds))


def _caller_changes(view: View, function: Function | None) -> bool:
    """Whether the patch also changes a function of the file that calls this one: it then sees to the None."""
    if function is None or view.before is None:
        return False
    old = functions_of(view.before)
    return any(
        name in old and ast.dump(old[name]) != ast.dump(new) and function.name in names_in(new)
        for name, new in functions_of(view.module).items()
        if new is not function
    )


def _own_says(sentence: str, silent: Silent, named: set[str]) -> bool:
    """Whether a function's own docstring, which need not name its subject, gives the outcome."""
    if silent.value is None:
        leaves = _LEAVING_OUT.match(sentence) and silent.kind == "skip"
        return bool(leaves or (_ABSENCE.search(sentence) and _says(sentence, silent, named)))
    if re.match(r"(?::raises?|raises?)\b", sentence):
        return False
    if _ABSENCE.search(sentence) and _says(sentence, silent, named):
        return True
    return any(
        re.search(rf"(?<![\w.]){re.escape(text)}\s+(?:for|if|when|where|in case)\b", sentence)
        for text in values.spellings(silent.value)
        if text
    )


def _speaks_of(sentence: str, subject: set[str]) -> bool:
    words = set(re.findall(r"[a-z][a-z0-9_]*", sentence))
    spoken = words | {part for word in words for part in word.split("_")}
    return bool(subject & (spoken | {w.rstrip("s") for w in spoken}))


def _only_blank(view: View, silent: Silent) -> bool:
    """Whether a record is skipped for being empty, and for nothing else."""
    test = silent.node if isinstance(silent.node, ast.expr) else condition_of(view, silent.node)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    if isinstance(test, ast.Call) and dotted(test.func).rpartition(".")[2] in ("strip", "rstrip", "len"):
        return True
    if test is None or isinstance(test, ast.Name | ast.Subscript | ast.Attribute):
        return True
    return values.tests_emptiness(test)


def _says(sentence: str, silent: Silent, named: set[str]) -> bool:
    """`named`: the words that the function is named by."""
    if silent.value is None:
        return _SKIPS.search(sentence) is not None
    if any(
        re.search(rf"(?<![\w.]){re.escape(s)}(?![\w])", sentence) for s in values.spellings(silent.value) if s
    ):
        return True
    one = isinstance(silent.value, ast.Constant) and silent.value.value in (1, "1")
    if one and re.search(r"\bone\b", sentence) and re.search(r"\bleft out|omitted|optional", sentence):
        return True
    # "Freelancers have no overtime": nothing of what the function gives.
    nothing = values.is_false(silent.value) and not values.is_none(silent.value)
    result = named if silent.kind == "return" or isinstance(silent.node, ast.Assign | ast.IfExp) else set()
    return nothing and any(re.search(rf"\bno {re.escape(word)}", sentence) for word in result)


def _own_documentation(view: View, function: Function | None) -> Iterator[str]:
    """Sentences of the function's docstring as fetched; of a new function, of those that call it."""
    if view.before is None or function is None:
        return
    old = functions_of(view.before)
    names = {function.name}
    if all(name.rpartition(".")[2] != function.name for name in old):
        after = functions_of(view.module)
        names = {n.rpartition(".")[2] for n, other in after.items() if function.name in names_in(other)}
    for name, node in old.items():
        if name.rpartition(".")[2] in names:
            yield from _sentences(ast.get_docstring(node) or "")


def _other_documentation(view: View, silent: Silent) -> Iterator[str]:
    """Sentences of comments and docstrings, of the documents, and the names of tests.

    The docstring of another function speaks of that function's own result; it counts where it names the key.
    """
    for path, file in view.candidate.before.items():
        text = file.data.decode(errors="replace")
        if path == view.path or (path.endswith(".py") and silent.key and silent.key in text):
            yield from _sentences("\n".join(re.findall(r"#[ ]?(.*)", text)))
            module = parsed(view.candidate.before, path)
            for node in ast.walk(module) if module is not None else ():
                if isinstance(node, ast.Module | ast.ClassDef):
                    yield from _sentences(ast.get_docstring(node) or "")
                elif isinstance(node, Function) and silent.key:
                    sentences = _sentences(ast.get_docstring(node) or "")
                    yield from (s for s in sentences if silent.key.lower() in s)
        elif path.endswith(_DOCUMENTS):
            yield from _sentences(text, joined=True)
        if is_test(path) and path.endswith(".py"):
            yield from (name.replace("_", " ") for name in re.findall(r"def (test_\w+)", text))


def _sentences(text: str, *, joined: bool = False) -> Iterator[str]:
    """Sentences and clauses; with `joined`, two neighbouring clauses as well: the second has no subject."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n|\n\s*[-*|]", text.lower()):
        clauses = [" ".join(clause.split()) for clause in re.split(r"(?<=;)\s+", sentence) if clause.strip()]
        yield from clauses
        if joined:
            yield from (f"{one} {other}" for one, other in pairwise(clauses))


def _subject(view: View, silent: Silent, function: Function | None) -> set[str]:
    """The words that say what is missing: the key, and the names in the condition or the expression.

    What a function returns for it is also what the function is named for.
    """
    names = {silent.key} if silent.key else set()
    condition = condition_of(view, silent.node)
    if condition is not None:
        names |= names_in(condition)
    if not names and isinstance(silent.node, ast.expr):
        names |= names_in(silent.node)
    result = any(isinstance(up, ast.Return) for up in (silent.node, *view.ancestors(silent.node)))
    if function is not None:
        names |= {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    if function is not None and not function.name.startswith("__") and (result or silent.kind == "return"):
        names.add(function.name)
    parts = {part.lower() for name in names for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)}
    words = {name.lower() for name in names} | parts
    words = {word for word in words | {w.rstrip("s") for w in words} if len(word) > 2} - _GENERIC
    return {word for word in words if not _ABSENCE.fullmatch(word)}


def condition_of(view: View, node: ast.AST) -> ast.expr | None:
    """The condition that a silent outcome stands under."""
    for up in (node, *view.ancestors(node)):
        if isinstance(up, ast.If | ast.IfExp):
            return up.test
        if isinstance(up, Function):
            return None
    return None
