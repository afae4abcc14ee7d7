"""The tests' own house rules: what a fixture gives has a type, for whoever takes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]


@cache
def modules() -> dict[str, ast.Module]:
    paths = (path for path in TESTS.rglob("*.py") if "data" not in path.parts)
    return {path.relative_to(TESTS.parent).as_posix(): ast.parse(path.read_text()) for path in paths}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def is_fixture(function: ast.FunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_nobody_gives_or_takes_a_scene_that_has_no_type() -> None:
    given = {(path, function.name) for path, function in functions() if is_fixture(function)}
    assert len(given) > 100

    def reaches(path: str, name: str) -> bool:
        """Whether a fixture of this name is to be had there."""
        folders = (folder.as_posix() for folder in Path(path).parents)
        return (path, name) in given or any((f"{folder}/conftest.py", name) in given for folder in folders)

    untyped = [
        f"{path}: {function.name}"
        for path, function in functions()
        if is_fixture(function) and (function.returns is None or ast.unparse(function.returns) == "Any")
    ]
    untyped += [
        f"{path}: {function.name}({argument.arg})"
        for path, function in functions()
        if is_fixture(function) or function.name.startswith("test_")
        for argument in (*function.args.args, *function.args.kwonlyargs)
        if argument.annotation and ast.unparse(argument.annotation) == "Any" and reaches(path, argument.arg)
    ]
    assert not untyped


PLAYED_BY = ("asyncssh", "http.server", "moto", "pytest_httpserver", "socketserver", "werkzeug")
"""Modules by which something else is played."""


def test_what_folders_share_and_plays_something_real_is_a_fake() -> None:
    shared = {
        path: module
        for path, module in modules().items()
        if path.count("/") == 1 and path != "tests/conftest.py"
    }
    assert len(shared) > 10

    def plays(module: ast.Module) -> bool:
        found = (node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom))
        names = (getattr(node, "module", None) or node.names[0].name for node in found)
        return any(str(name).startswith(PLAYED_BY) for name in names)

    assert not [path for path, module in shared.items() if plays(module)]
