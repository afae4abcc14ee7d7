"""What a test may not do: a test shares its process with what tells how it ended."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.capabilities.names import Names

_OF_THE_RUN = frozenset(
    {
        "pluginmanager",
        "session",
        "config",
        "hook",
        "ihook",
        "stash",
        "addfinalizer",
        "reportinfo",
        "_request",
        "_pyfuncitem",
    }
)
_GIVEN_BY_PYTEST = frozenset({"request", "pytestconfig", "pytester", "testdir", "record_property", "cache"})


def findings(old: Names | None, new: Names) -> Iterator[str]:
    """New hooks of pytest, plugins, and ways to what runs the tests."""
    if not is_test(new.path):
        return
    known = {text for _, text in _found(old)} if old is not None else set()
    for line, text in _found(new):
        if text not in known:
            yield f"test_tools: {new.path}:{line}: {text}"


def _found(names: Names) -> Iterator[tuple[int, str]]:
    for node in ast.walk(names.module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("pytest_"):
            yield node.lineno, f"{node.name} is a hook of pytest: a test may not change how tests are run"
        elif isinstance(node, ast.Name | ast.arg):
            name = node.id if isinstance(node, ast.Name) else node.arg
            if name == "pytest_plugins":
                yield node.lineno, "pytest_plugins changes how tests are run"
            elif name in _GIVEN_BY_PYTEST - {"request"} and isinstance(node, ast.arg):
                yield node.lineno, f"the fixture {name} reaches into what runs the tests"
        elif isinstance(node, ast.Attribute) and node.attr in _OF_THE_RUN:
            base = names.of(node.value)
            if base in ("?", "pytest") or base.startswith("?.") or base == "pytest":
                yield node.lineno, f"{ast.unparse(node)} reaches into what runs the tests"
