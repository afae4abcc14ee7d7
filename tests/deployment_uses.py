"""What a function asks of its deployment, read from its code: which settings, and which modules with them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FUNCTIONS = Path(__file__).parents[1] / "functions"
DEPLOYMENT = FUNCTIONS / "core/aws/deployment.py"
_ASKED = re.compile(r"\b_?deployment(?:\(\))?\.(\w+)")


@cache
def makers() -> dict[str, ast.FunctionDef]:
    """What a Deployment gives, by name, and how it makes it."""
    (kind,) = (n for n in ast.parse(DEPLOYMENT.read_text()).body if isinstance(n, ast.ClassDef))
    return {node.name: node for node in kind.body if isinstance(node, ast.FunctionDef)}


def given(code: str) -> set[str]:
    """The names of all that code asks a deployment for, and of what that is made of."""
    waiting, found = set(_ASKED.findall(code)), set[str]()
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name in makers():
            waiting |= set(re.findall(r"\bself\.(\w+)", ast.unparse(makers()[name]))) - found
    return found


def imports(code: str) -> Iterator[str]:
    """The names of all modules that a deployment imports with what code asks it for."""
    for name in given(code) & makers().keys():
        for node in ast.walk(makers()[name]):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def modules(code: str) -> Iterator[Path]:
    """The files of those modules; of a library's, files that are not there."""
    return (FUNCTIONS.parent / (name.replace(".", "/") + ".py") for name in imports(code))


def settings_of(folder: str) -> tuple[set[str], set[str]]:
    """The settings that a function cannot do without, and those that it looks at."""
    code = "\n".join(path.read_text() for path in sorted((FUNCTIONS / folder).rglob("*.py")))
    if "step(run)" in code:
        code += "\ndeployment.switch"  # what the wrapper asks first
    texts = [code, *(ast.unparse(makers()[name]) for name in given(code) & makers().keys())]
    scoped = FUNCTIONS / "core/workflow/scoped.py"
    if scoped in modules(code) or "workflow.scoped" in code:
        texts.append(scoped.read_text())
    text = "\n".join(texts)
    required = set(re.findall(r"""\b(?:setting|require|table)\(\s*["'](\w+)["']""", text))
    return required, set(re.findall(r"\bsettings\.(\w+)\b(?!\()", text))
