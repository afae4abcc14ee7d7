"""Looking further: what the model may ask of the source, served from the archive and from nothing else.

What is served is redacted, delimited like the prompt's own sections, and bounded, each time and in all.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from functions.core.model.sections import section
from functions.core.notify.counts import counted
from functions.core.source import syntax
from functions.core.untrusted.redaction import redact
from functions.propose_patch.repository import SourceTree

MOST_TURNS = 6
"""Turns in which the model may look before it must answer."""

_RESULT_LIMIT, _TOTAL_LIMIT = 8_000, 40_000
"""Characters of one result, and of all results of an attempt."""
_FILE_LINES, _DEFINITION_LINES, _DEFINITIONS, _MATCHES, _MATCH_WIDTH = 200, 80, 5, 30, 200

_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_LINE = {"type": "integer", "minimum": 1}

TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "read_file": (
        f"Read lines of a file of the repository, at most {_FILE_LINES} at a time.",
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["path", "first", "last"],
            "properties": {"path": {**_NAME, "maxLength": 400}, "first": _LINE, "last": _LINE},
        },
    ),
    "find_definition": (
        "Find where a function, class or constant is defined: `name` or `Class.name`.",
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": _NAME},
        },
    ),
    "search_text": (
        "Find lines that contain a text, exactly as written.",
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["text"],
            "properties": {"text": {**_NAME, "minLength": 3}},
        },
    ),
}
"""Name → description and schema of the tools that look."""


class RetrievalTools:
    """Serves one attempt. `nonce` delimits what is served, as it does the prompt's sections."""

    def __init__(self, repository: SourceTree, nonce: str) -> None:
        self._repository = repository
        self._nonce = nonce
        self._left = _TOTAL_LIMIT
        self._redacted: dict[str, list[str]] = {}

    def serve(self, name: str, arguments: Any) -> str:
        """The answer to one call, also to one that makes no sense: then it says what is wrong."""
        given = arguments if isinstance(arguments, dict) else {}
        problem = _problem(name, given)
        lines = [problem] if problem else list(self._answer(name, given))
        text = "\n".join(lines)[: min(_RESULT_LIMIT, self._left)]
        self._left -= len(text)
        if self._left <= 0:
            text += "\n(nothing more is shown: answer with what you have seen)"
        asked = {key: str(value) for key, value in given.items() if not problem}
        return section(self._nonce, "result", text, {"tool": name[:40], **asked}).text

    def _answer(self, name: str, given: dict[str, Any]) -> Iterator[str]:
        if name == "read_file":
            yield from self._read(given["path"], given["first"], given["last"])
        elif name == "find_definition":
            yield from self._define(given["name"])
        else:
            yield from self._search(given["text"])

    def _read(self, path: str, first: int, last: int) -> Iterator[str]:
        if self._repository.text(path) is None:
            near = sorted(p for p in self._repository.paths if p.endswith("/" + path.rpartition("/")[2]))
            yield f"no text file {path}" + (f"; there is {', '.join(near[:5])}" if near else "")
            return
        lines = self._lines(path)
        if first > len(lines):
            yield f"{path} has {counted(len(lines), 'line')}"
        yield from self._numbered(path, range(first, min(last, first + _FILE_LINES - 1) + 1))

    def _define(self, name: str) -> Iterator[str]:
        owner, _, last = name.rpartition(".")
        found = 0
        for path in self._python(last):
            tree = self._repository.tree(path)
            for node in _definitions(tree, owner.rpartition(".")[2], last) if tree else ():
                found += 1
                if found > _DEFINITIONS:
                    yield "there are more definitions of that name"
                    return
                yield f"{path}:"
                yield from self._numbered(path, syntax.span(node)[:_DEFINITION_LINES])
        if not found:
            yield f"nothing in the repository defines {name}"

    def _search(self, text: str) -> Iterator[str]:
        found = 0
        for path in sorted(self._repository.paths):
            if text not in (self._repository.text(path) or ""):
                continue
            # Among the masked lines, or a search would tell whether a secret holds a text.
            for number, line in enumerate(self._lines(path), 1):
                if text in line:
                    found += 1
                    if found > _MATCHES:
                        yield "there are more matches: search for more of the text"
                        return
                    yield f"{path}:{number}: {line.strip()[:_MATCH_WIDTH]}"
        if not found:
            yield "no line of the repository contains that"

    def _python(self, name: str) -> Iterator[str]:
        for path in sorted(self._repository.paths):
            if path.endswith(".py") and name in (self._repository.text(path) or ""):
                yield path

    def _numbered(self, path: str, numbers: range) -> Iterator[str]:
        lines = self._lines(path)
        yield from (f"{number:>6}| {lines[number - 1]}" for number in numbers if number <= len(lines))

    def _lines(self, path: str) -> list[str]:
        if path not in self._redacted:
            self._redacted[path] = redact(self._repository.text(path) or "").split("\n")
        return self._redacted[path]


def _problem(name: str, given: dict[str, Any]) -> str:
    """What is wrong with a call, "" for nothing."""
    _, schema = TOOLS[name]
    wanted = {"string": str, "integer": int}
    for key in schema["required"]:
        rule, value = schema["properties"][key], given.get(key)
        if not isinstance(value, wanted[rule["type"]]) or isinstance(value, bool):
            return f"{name} needs {key} as {rule['type']}"
        if isinstance(value, str) and not rule["minLength"] <= len(value.strip()) <= rule["maxLength"]:
            return f"{name}: {key} must have {rule['minLength']} to {rule['maxLength']} characters"
        if isinstance(value, int) and value < 1:
            return f"{name}: {key} counts from 1"
    return ""


def _definitions(tree: ast.Module, owner: str, name: str) -> Iterator[ast.stmt]:
    if not re.fullmatch(r"\w+", name):
        return
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    scopes += [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for scope in scopes:
        if owner and getattr(scope, "name", "") != owner:
            continue
        for statement in scope.body:
            named = isinstance(statement, syntax.Function | ast.ClassDef) and statement.name == name
            if named or name in syntax.assigned(statement):
                yield statement
