"""A regression test that is one of the repository's own, with one literal changed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from functions.harness.regression import NotACall, literal_text, plain, raised_by, value_text, word
from functions.harness.search.literals import ChangedLiteral, compared_in, literals_in
from functions.harness.search.targets import FUNCTIONS


def code_of(
    incident: Mapping[str, Any],
    files: Mapping[str, str],
    defined: Mapping[str, Sequence[str]],
    within: Sequence[Any],
    answer: Mapping[str, Any],
) -> str:
    """The test's file; "" where it cannot be written: the change is in another file, or the test does not see
    the error that the patched code raises.

    files: the repository's tests as fetched; defined: see `regression.code_of`; within: see
    `search/in_tests.py`; answer: what the call then gives on the patched tree.

    What was reported is a stranger's word, so nothing of it is written but which test, which literal, and
    values that are understood. Raises NotACall.
    """
    name, given = str(within[0]), ChangedLiteral(*within[1])
    path, _, inner = name.partition("::")
    if path not in files:
        raise NotACall(f"{path[:80]} is no test of the repository as fetched")
    if given.path not in ("", path):
        return ""
    module = ast.parse(files[path])
    known = literals_in(module)
    if not -1 <= given.number < len(known):
        raise NotACall("there is no such literal")
    place = incident["places"][-1]
    error = incident["type"].rpartition(".")[2]
    literal = known[given.number] if given.number >= 0 else None
    writer = _Writer(literal, given.value, answer.get("checked", {}))
    chosen = inner.partition("[")[0].split("::")
    kept = [node for node in map(writer.visit, module.body) if _is_kept(node, chosen)]
    tests = [node for node in ast.walk(ast.Module(kept, [])) if getattr(node, "name", "") == chosen[-1]]
    if not tests:
        raise NotACall(f"there is no test {name[:80]}")
    tests[0].name = f"test_{word(place['function'])}_does_not_raise_{word(error)}"  # type: ignore[attr-defined] # a function
    told = f"`{place['function']}` in {place['path']} raised {error} in production."
    if "raised" in answer:
        imports = _expecting(tests[0], answer["raised"], path, defined)
        if not imports:
            return ""
        kept = [*imports, *kept]
    body = [node for node in kept if not _is_text(node)]
    written = ast.fix_missing_locations(ast.Module(body, []))
    return f'"""{plain(told)}"""\n\n{ast.unparse(written)}\n'


def _expecting(
    test: Any, raised: Mapping[str, Any], path: str, defined: Mapping[str, Sequence[str]]
) -> list[ast.stmt]:
    """Have a test end with the statement in which an error is raised, and expect it: the imports that this
    needs, none where it cannot."""
    lines = [line for file, line, _ in raised["frames"] if file == path]
    ending = (
        n for n, s in enumerate(test.body) if any(s.lineno <= at <= (s.end_lineno or 0) for at in lines)
    )
    last = next(ending, None)
    module, name = raised_by(raised["type"], defined)
    if last is None or (module and module not in defined):
        return []
    check = ast.parse(f"with pytest.raises({name}):\n    pass").body[0]
    check.body = [test.body[last]]  # type: ignore[attr-defined] # a `with`
    test.body = [*test.body[:last], check]
    return ast.parse("import pytest\n" + (f"from {module} import {name}\n" if module else "")).body


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_kept(node: ast.stmt, chosen: list[str]) -> bool:
    """Whether a statement is the test, or may be what it needs: imports, helpers, fixtures."""
    if isinstance(node, FUNCTIONS):
        return not node.name.startswith("test") or [node.name] == chosen
    if isinstance(node, ast.ClassDef):
        tests = [i for i in node.body if isinstance(i, FUNCTIONS) and i.name.startswith("test")]
        if tests and node.name == chosen[0]:
            node.body = [i for i in node.body if i not in tests or getattr(i, "name", "") == chosen[-1]]
        return not tests or node.name == chosen[0]
    return not isinstance(node, ast.If)


class _Writer(ast.NodeTransformer):
    """Writes the change, and checks what the patched code gives."""

    def __init__(self, literal: object, value: str, checked: Mapping[str, str]) -> None:
        self._literal, self._value, self._checked = literal, value, checked

    def visit(self, node: ast.AST) -> Any:
        if node is self._literal:
            return ast.copy_location(_changed(node, self._value), node)
        compared = compared_in(node) if isinstance(node, ast.stmt) else None
        if compared is None:
            return super().visit(node)
        text = value_text(str(self._checked.get(str(node.lineno), "")))  # type: ignore[attr-defined] # a statement
        left = self.visit(compared)
        if not text:
            return ast.copy_location(ast.Expr(left), node)
        value = ast.parse(text, mode="eval").body
        by: ast.cmpop = ast.Is() if text in ("None", "True", "False") else ast.Eq()
        return ast.copy_location(ast.Assert(ast.Compare(left, [by], [value]), None), node)


def _changed(node: ast.AST, value: str) -> ast.expr:
    if value.startswith("del ") and isinstance(node, ast.Dict):
        key = ast.literal_eval(value[4:])
        pairs = [(k, v) for k, v in zip(node.keys, node.values) if getattr(k, "value", ...) != key]
        return ast.Dict([k for k, _ in pairs], [v for _, v in pairs])
    return ast.parse(literal_text(value), mode="eval").body
