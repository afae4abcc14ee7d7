"""A regression test for a call that was found to fail: calls the real code, and states what it now gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from functions.harness.search.targets import module_name
from functions.harness.search.values import STANDARD

_PARTS = (
    ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple,
    ast.Dict, ast.Load, ast.UnaryOp, ast.USub,
)  # fmt: skip
"""What a made-up call and its result consist of."""
_HELPERS = {("", "asyncio"), ("", "importlib")}


class NotACall(ValueError):
    """What was reported as a found call is not one that the search makes up."""


def code_of(
    incident: Mapping[str, Any], own: frozenset[str], call: Mapping[str, Any], answer: Mapping[str, Any]
) -> str:
    """The test's file. incident: see `experiment.experiment`; call and answer: see `search/explore.py`.

    own: the repository's own Python files. The test will be part of the patch, and what was reported is a
    stranger's word: it may be a call of what the repository defines with literals, and nothing else. Raises
    NotACall.
    """
    _check(call, answer, own)
    place = incident["places"][-1]
    imports = [(str(module), str(name)) for module, name in call["imports"]]
    error = incident["type"].rpartition(".")[2]
    if "value" in answer:
        value = answer["value"]
        check = {"None": " is None", "True": " is True", "False": " is False"}.get(value, f" == {value}")
        body = [f"assert {call['call']}{check}" if value else call["call"]]
    else:
        module, _, name = answer["raised"]["type"].rpartition(".")
        imports += [("", "pytest"), *([(module, name)] if module else [])]
        body = [f"with pytest.raises({name}):", f"    {call['call']}"]
    told = f"`{place['function']}` in {place['path']} raised {error} in production."
    return "\n".join(
        [
            f'"""{_plain(told)}"""',
            "",
            *_import_lines(sorted(set(imports))),
            "",
            "",
            f"def test_{word(place['function'])}_does_not_raise_{word(error)}():",
            *(f"    {line}" for line in body),
            "",
        ]
    )


def _check(call: Mapping[str, Any], answer: Mapping[str, Any], own: frozenset[str]) -> None:
    modules = {module_name(path) for path in own}
    imports = {(str(module), str(name)) for module, name in call["imports"]}
    standard = {(module, name) for name, module in STANDARD.items()}
    for module, name in imports - standard - _HELPERS:
        if module not in modules or not name.isidentifier():
            raise NotACall(f"it imports {name} from {module}")
    known = {name for _, name in imports} | {"list"}
    for text in (call["call"], *([answer["value"]] if answer.get("value") else [])):
        for node in ast.walk(_expression(text)):
            unknown = isinstance(node, ast.Name) and node.id not in known
            hidden = isinstance(node, ast.Attribute) and node.attr.startswith("__")
            if not isinstance(node, _PARTS) or unknown or hidden:
                raise NotACall(f"{str(text)[:80]!r} is more than a call with literals")
    if "value" not in answer:
        module, _, name = str(answer["raised"]["type"]).rpartition(".")
        if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".") if module):
            raise NotACall("it raises what has no name")


def _expression(text: str) -> ast.Expression:
    try:
        ast.parse(f"({text})", mode="eval")  # a comment would swallow what is written behind it
        return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotACall("it does not parse") from error


def _plain(text: str) -> str:
    """Words of a log line, without what could end a docstring."""
    return re.sub(r'["\\\s]+', " ", text)


def word(text: str) -> str:
    """A text as part of a name."""
    return re.sub(r"\W+", "_", text).strip("_").lower() or "code"


def _import_lines(imports: Iterable[tuple[str, str]]) -> list[str]:
    """Imports in the order that formatters give: modules first, then names, the repository's own last."""
    plain = [name for module, name in imports if not module]
    standard = [f"import {name}" for name in plain if name != "pytest"]
    standard += [f"from {module} import {name}" for module, name in imports if module in STANDARD.values()]
    by_module: dict[str, list[str]] = {}
    for module, name in imports:
        if module and module not in STANDARD.values():
            by_module.setdefault(module, []).append(name)
    own = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(by_module.items())]
    blocks = [standard, ["import pytest"] if "pytest" in plain else [], own]
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")
