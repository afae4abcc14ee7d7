"""Rules on switches: checks that are turned off, code that never runs, validation that is taken away."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.honest.view import Hit, View, dotted

_GUARDING = re.compile(r"compare_digest|(?:verify|check|validate|authenti|authori|escape|saniti|quote)")
_MARKERS = re.compile(
    r"#\s*(noqa|type:\s*ignore|pragma:\s*no\s*(?:cover|branch)|nosec|nosemgrep|pylint:\s*disable|pyright:\s*ignore"
    r"|mypy:\s*ignore|mypy:|ruff:\s*noqa|flake8:|fmt:\s*(?:off|skip)|isort:\s*skip|bandit:|NOSONAR|lgtm|codeql)",
    re.IGNORECASE,
)


def disabled_checks(view: View) -> Iterator[Hit]:
    """Comments that silence a checker."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(view.source).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    for token in tokens:
        match = _MARKERS.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            yield Hit(token.start[0], match.group(1).lower(), f"`# {match.group(1)}` switches a check off")


def dead_code(view: View) -> Iterator[Hit]:
    """Conditions that are constant: what is below them never, or always, runs."""
    conditions: list[ast.If | ast.IfExp | ast.While]
    conditions = [*view.walk(ast.If), *view.walk(ast.IfExp), *view.walk(ast.While)]
    for node in conditions:
        parts = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
        for part in parts:
            if _constant(part) and not (isinstance(node, ast.While) and ast.unparse(part) in ("True", "1")):
                yield Hit(
                    node.lineno,
                    f"{view.where(node)} {ast.unparse(node.test)}",
                    f"the condition `{ast.unparse(node.test)}` holds a constant, so it decides nothing",
                )
                break
    for last in view.walk(ast.Return, ast.Raise, ast.Continue, ast.Break):
        block = _block_of(view, last)
        if block and block[-1] is not last:
            yield Hit(
                getattr(last, "lineno", 0),
                f"{view.where(last)} unreachable {ast.unparse(last)}",
                "the lines after this one are never reached",
            )


def _constant(test: ast.expr) -> bool:
    if isinstance(test, ast.UnaryOp):
        return _constant(test.operand)
    if isinstance(test, ast.Compare):
        return all(isinstance(side, ast.Constant) for side in (test.left, *test.comparators))
    return isinstance(test, ast.Constant) or (isinstance(test, ast.Name) and test.id == "__debug__")


def _block_of(view: View, node: ast.AST) -> list[ast.stmt]:
    parent = view.parents.get(node)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and node in block:
            return block
    return []


def removed_checks(before: View | None, after: View) -> Iterator[Hit]:
    """`raise` and `assert` statements of production code that the patch takes away.

    Counted per kind of error in the whole file: moving one is no loss.
    """
    if before is None or is_test(after.path):
        return
    kept = [_raised(node) for node in after.walk(ast.Raise, ast.Assert)]
    for node in before.walk(ast.Raise, ast.Assert):
        name = _raised(node)
        if name in kept:
            kept.remove(name)
        else:
            yield Hit(
                getattr(node, "lineno", 0),
                f"removed {ast.unparse(node)}",
                f"`{ast.unparse(node)[:120]}` is taken away, and with it what it guarded",
            )


def removed_calls(before: View | None, after: View) -> Iterator[Hit]:
    """Calls made for their effect, or to decide, that a file no longer makes: work silently not done."""
    if before is None or is_test(after.path):
        return
    failing = {place.line for place in before.candidate.places[-1:] if place.path == before.path}
    kept = {_called(node) for node in after.walk(ast.Call)}
    for node in before.walk(ast.Call):
        name = _called(node)
        effect = _for_effect(before, node) or _GUARDING.match(name)
        if name and name not in kept and node.lineno not in failing and effect:
            yield Hit(node.lineno, f"removed {name}", f"`{name}(…)` is no longer called")


def _for_effect(view: View, node: ast.AST) -> bool:
    """Whether a call is a statement of its own, decides, or decorates: not a value computed anew."""
    for up in view.ancestors(node):
        if isinstance(up, ast.Expr | ast.With | ast.AsyncWith):
            return True
        if isinstance(up, ast.If | ast.While | ast.Assert):
            return node in ast.walk(up.test)
        if isinstance(up, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return any(node in ast.walk(decorator) for decorator in up.decorator_list)
        if isinstance(up, ast.stmt):
            return False
    return False


def _called(node: ast.AST) -> str:
    name = dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    # Conversions and measures come and go with the expressions around them.
    return "" if name in _PLAIN else name


_PLAIN = frozenset(
    {
        "str",
        "int",
        "float",
        "bool",
        "len",
        "list",
        "dict",
        "tuple",
        "set",
        "sorted",
        "range",
        "enumerate",
        "zip",
        "round",
    }
    | {
        "sum",
        "min",
        "max",
        "repr",
        "format",
        "abs",
        "get",
        "items",
        "keys",
        "values",
        "strip",
        "join",
        "isinstance",
    }
    | {
        "iter",
        "next",
        "reversed",
        "any",
        "all",
        "map",
        "filter",
        "getattr",
        "hasattr",
        "copy",
        "append",
        "super",
    }
)


def _raised(node: ast.AST) -> str:
    if isinstance(node, ast.Assert):
        return f"assert {ast.unparse(node.test)}"
    if isinstance(node, ast.Raise) and node.exc is not None:
        return dotted(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
    return "raise"
