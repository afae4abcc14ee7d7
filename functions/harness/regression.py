"""A regression test for a call that was found to fail: calls the real code, and states what it now gives."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from functions.harness.proof import Nonsense
from functions.harness.search.values import BUILTINS, STANDARD, is_error, render

_LONGEST = 2000
"""Characters of a call that a person would still read."""


class NotACall(Nonsense):
    """What was reported as a found call is not one that the search makes up."""


def code_of(
    incident: Mapping[str, Any],
    defined: Mapping[str, Sequence[str]],
    call: Mapping[str, Any],
    answer: Mapping[str, Any],
) -> str:
    """The test's file. incident: see `experiment.experiment`; call and answer: see `search/explore.py`.

    defined: module of the repository's own → what it defines at its top level. The test will be part of the
    patch, and what was reported is a stranger's word: so what is written is not that text but what was
    understood of it, a call of what the repository defines, with literals. Raises NotACall.
    """
    imports = _imports(call, defined)
    source = _source(call["call"], {name for _, name in imports}, defined)
    place = incident["places"][-1]
    error = incident["type"].rpartition(".")[2]
    if "value" in answer:
        value = _value(answer["value"])
        check = {"None": " is None", "True": " is True", "False": " is False"}.get(value, f" == {value}")
        body = [f"assert {source}{check}" if value else source]
    else:
        module, name = _raised(answer["raised"]["type"], defined)
        imports += [("", "pytest"), *([(module, name)] if module in defined else [])]
        body = [f"with pytest.raises({name}):", f"    {source}"]
        if module and module not in defined:  # a library's: it is known by its name alone
            body = ["with pytest.raises(Exception) as raised:", f"    {source}"]
            body.append(f"assert type(raised.value).__name__ == {render(name)}")
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


def _imports(call: Mapping[str, Any], defined: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What the call imports, if that is what the repository defines, or what inputs are made of."""
    found = [(str(module), str(name)) for module, name in call["imports"]]
    for module, name in found:
        known = name in defined.get(module, ()) or STANDARD.get(name) == module
        if not known and (module, name) not in (("", "asyncio"), ("", "importlib")):
            raise NotACall(f"it imports {name[:80]} from {module[:80]}")
    return found


def _raised(kind: str, defined: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Module ("" for a builtin) and name of an exception."""
    module, _, name = str(kind).rpartition(".")
    known = (
        name in defined.get(module, (name,)) if module else isinstance(getattr(builtins, name, None), type)
    )
    if not known or not all(part.isidentifier() or part == "<locals>" for part in str(kind).split(".")):
        raise NotACall(f"it raises {str(kind)[:80]}")
    return module, name


def _value(text: str) -> str:
    """A result, as it is written; "" for one that no test can state."""
    if not text:
        return ""
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise NotACall(f"{text[:80]!r} is no value") from error
    return _text(_expression(text), set())


def _source(text: str, imported: set[str], defined: Mapping[str, Sequence[str]]) -> str:
    """A call, as it is written."""
    node = _expression(text)
    inner = node
    if isinstance(node, ast.Call) and not node.keywords and len(node.args) == 1:
        wrapper = ast.unparse(node.func)
        if wrapper == "importlib.import_module":
            name = node.args[0]
            if isinstance(name, ast.Constant) and name.value in defined and "importlib" in imported:
                return f"importlib.import_module({render(name.value)})"
            raise NotACall("it imports what is not the repository's own")
        if wrapper == "list" or (wrapper == "asyncio.run" and "asyncio" in imported):
            inner = node.args[0]
            return f"{wrapper}({_text(inner, imported - _MODULES)})"
    return _text(inner, imported - _MODULES)


_MODULES = {"asyncio", "importlib"}


def _text(node: ast.AST, names: set[str]) -> str:
    """Literals, and calls of `names` and of their attributes; anything else raises NotACall."""
    if isinstance(node, ast.Constant):
        return render(node.value)
    if isinstance(node, ast.Name) and (node.id in names or node.id in BUILTINS or is_error(node.id)):
        return node.id
    if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
        return f"{_text(node.value, names)}.{node.attr}"
    if isinstance(node, ast.Call):
        given = [_text(argument, names) for argument in node.args]
        given += [f"{keyword.arg}={_text(keyword.value, names)}" for keyword in node.keywords if keyword.arg]
        if len(given) == len(node.args) + len(node.keywords):
            return f"{_text(node.func, names)}({', '.join(given)})"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"-{_text(node.operand, names)}"
    if isinstance(node, (ast.List, ast.Tuple)):
        parts = [_text(element, names) for element in node.elts]
        if isinstance(node, ast.List):
            return f"[{', '.join(parts)}]"
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if isinstance(node, ast.Dict) and all(node.keys):
        pairs = [(_text(k, names), _text(v, names)) for k, v in zip(node.keys, node.values) if k]
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    raise NotACall(f"{type(node).__name__} is more than a call with literals")


def _expression(text: str) -> ast.expr:
    if not isinstance(text, str) or len(text) > _LONGEST or "\n" in text:
        raise NotACall("it is no line that anybody would read")
    try:
        return ast.parse(text, mode="eval").body
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
