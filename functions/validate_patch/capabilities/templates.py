"""Text that says what is to be done with other text is written in the code: formats, patterns, paths, markup.

Each is a small language, in which text from elsewhere may say more than it should: `{user.token}`, `(a+)+`,
`../..`, `<script>`. What was a fixed text stays one; what is put into markup is escaped.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from functions.core.source.syntax_tree import dotted, module_constants, nodes_of
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.leaks import LOGS
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames

_SINKS = (
    (re.compile(r"re\.(?:compile|match|fullmatch|search|sub|subn|split|find\w+)"), "a pattern"),
    (re.compile(r"string\.Template"), "a template"),
    (re.compile(r"(?:io\.|codecs\.|os\.)?open|pathlib\.(?:Pure)?(?:Posix)?Path"), "a path"),
)
"""Functions whose first argument is in a language of its own."""
_FORMATS = frozenset({"format", "format_map", "strftime"})
_ESCAPES = re.compile(r".*(?:escape|quote|clean|sanitize|urlencode).*", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-z][\w-]*(?:\s|/?>|$)", re.IGNORECASE)
_PUT = frozenset({"sub", "subn", "replace"})
_TEXT = frozenset({"replace", "strip", "join", "lower", "upper", "read", "decode", "removeprefix"})


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence for each place at which text that was fixed is put together, or comes from elsewhere."""
    for path, old, new in changed_modules(candidate, before, after):
        known = Counter(text for _, _, text in _open(old))
        for line, what, text in _open(new):
            known[text] -= 1
            if known[text] < 0:
                said = f"`{text[:80]}` is used as {what}, and is no fixed text"
                yield f"injection: {path}:{line}: {said}"


def _open(names: ResolvedNames) -> Iterator[tuple[int, str, str]]:
    """(line, in which language, source text) of what is not fixed."""
    constants = module_constants(names.module).keys()
    for node in nodes_of(names.module):
        for part, what in _written(node, names):
            if not _is_fixed(part, constants):
                yield part.lineno, what, ast.unparse(part)
        yield from _markup(node, constants)


def _written(node: ast.AST, names: ResolvedNames) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(node, ast.Call):
        name = names.of(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _FORMATS:
            told = node.func.attr == "strftime" and node.args
            yield (node.args[0] if told else node.func.value), "a format"
        if node.args and LOGS.fullmatch(dotted(node.func)):
            yield (
                node.args[node.func.attr == "log" if isinstance(node.func, ast.Attribute) else 0],
                "a format",
            )
        if node.args:
            yield from ((node.args[0], what) for sink, what in _SINKS if sink.fullmatch(name))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node):
        yield node.left, "a format"


def _is_text(node: ast.BinOp) -> bool:
    """Whether `%` fills in a format, and is no remainder."""
    filled = isinstance(node.right, ast.Tuple | ast.Dict)
    methods = (
        n.func.attr
        for n in nodes_of(node.left)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    )
    return filled or any(method in _TEXT for method in methods)


def _markup(node: ast.AST, constants: object) -> Iterator[tuple[int, str, str]]:
    """What stands in markup unescaped, or gets markup put into it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PUT:
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if any(map(_MARKUP.search, texts)):
            into = [part for part in (node.func.value, *node.args) if not isinstance(part, ast.Constant)]
            yield node.lineno, "markup", ast.unparse(into[-1])
    parts = (
        node.values
        if isinstance(node, ast.JoinedStr)
        else [node.left, node.right]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
        else []
    )
    texts = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
    if any(map(_MARKUP.search, texts)):
        for part in parts:
            value = part.value if isinstance(part, ast.FormattedValue) else part
            if isinstance(value, ast.expr) and not _is_fixed(value, constants):
                yield value.lineno, "markup", ast.unparse(value)


def _is_fixed(node: ast.expr, constants: object) -> bool:
    """Whether a text is the code's own, or escaped."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id in constants  # type: ignore[operator]
    if isinstance(node, ast.Call):
        joined = isinstance(node.func, ast.Attribute) and node.func.attr == "join"
        return _ESCAPES.fullmatch(dotted(node.func)) is not None or (joined and _joins_escaped(node))
    if isinstance(node, ast.BinOp):
        return _is_fixed(node.left, constants) and _is_fixed(node.right, constants)
    if isinstance(node, ast.JoinedStr):
        return all(
            _is_fixed(v.value if isinstance(v, ast.FormattedValue) else v, constants) for v in node.values
        )
    if isinstance(node, ast.IfExp):
        return _is_fixed(node.body, constants) and _is_fixed(node.orelse, constants)
    return False


def _joins_escaped(node: ast.Call) -> bool:
    return any(
        isinstance(n, ast.Call) and _ESCAPES.fullmatch(dotted(n.func))
        for n in nodes_of(node)
        if n is not node
    )
