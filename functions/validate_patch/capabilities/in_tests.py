"""What a test may not do: a test shares its process with what tells how it ended."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.core.source.syntax_tree import nodes_of
from functions.harness.names import is_test
from functions.validate_patch.capabilities.names import ResolvedNames

_OF_THE_RUN = frozenset({"pluginmanager", "ihook", "hook", "_pyfuncitem", "_request", "stash"})
_OF_A_REQUEST = frozenset({"config", "session", "node", "_fixturemanager"})
_REQUEST = "request"
_GIVEN_BY_PYTEST = frozenset({"pytestconfig", "pytester", "testdir"})


def findings(old: ResolvedNames | None, new: ResolvedNames) -> Iterator[str]:
    """New hooks of pytest, plugins, and ways to what runs the tests."""
    if not is_test(new.path):
        return
    known = {text for _, text in _found(old)} if old is not None else set()
    for line, text in _found(new):
        if text not in known:
            yield f"test_tools: {new.path}:{line}: {text}"


def _found(names: ResolvedNames) -> Iterator[tuple[int, str]]:
    for node in nodes_of(names.module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("pytest_"):
            yield node.lineno, f"{node.name} is a hook of pytest: a test may not change how tests are run"
        elif isinstance(node, ast.Name) and node.id == "pytest_plugins":
            yield node.lineno, "pytest_plugins changes how tests are run"
        elif isinstance(node, ast.arg) and node.arg in _GIVEN_BY_PYTEST:
            yield node.lineno, f"the fixture {node.arg} reaches into what runs the tests"
        elif isinstance(node, ast.Attribute) and _leads_to_the_run(node):
            yield node.lineno, f"{ast.unparse(node)} reaches into what runs the tests"


def _leads_to_the_run(node: ast.Attribute) -> bool:
    """An application has a `config` and a `session`, too: these count of pytest's request alone."""
    of_request = isinstance(node.value, ast.Name) and node.value.id == _REQUEST
    return node.attr in _OF_THE_RUN or (of_request and node.attr in _OF_A_REQUEST)
