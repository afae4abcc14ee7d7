"""The source's own name of the function that failed, and where the same line stands in another one.

The interpreter prints a function's name without its class, so `Invoice.total` and `Receipt.total`, which fail
on the same line of code, have one fingerprint. Line numbers tell them apart, but only at the revision that
was fetched: so the incident keeps the lines of its twins, and the recorder counts what fails there apart.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from functions.core.incidents.incident import Frame
from functions.core.source.code_mappings import locate

_MOST_TWINS = 20
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Named:
    """qualified: as `__qualname__` says it, "" where the source does not tell; twins: line, as text → the
    qualified name of another function of the same name, in which the failing line of code stands there."""

    qualified: str = ""
    twins: Mapping[str, str] = field(default_factory=dict)


def named(
    frames: Sequence[Frame],
    paths: Collection[str],
    read: Callable[[str], bytes | None],
    source_roots: Mapping[str, str],
) -> Named:
    """Name the app's innermost frame; nothing where its line reads otherwise at this revision."""
    frame = next((one for one in reversed(frames) if one.in_app), None)
    path = locate(frame.file, paths, source_roots).path if frame else None
    source = read(path) if path else None
    if frame is None or source is None or not frame.code.strip():
        return Named()
    text = source.decode("utf-8", "replace")
    try:
        around = _functions(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # of another Python, or a stranger's
        return Named()
    code = " ".join(frame.code.split())
    standing = {
        number: around[number]
        for number, line in enumerate(text.split("\n"), 1)
        if around.get(number, "").rpartition(".")[2] == frame.function and " ".join(line.split()) == code
    }
    own = standing.get(frame.line or 0)
    if own is None:
        return Named()
    twins = {str(number): name for number, name in standing.items() if name != own}
    return Named(own, dict(list(twins.items())[:_MOST_TWINS]))


def _functions(tree: ast.Module) -> dict[int, str]:
    """Line → qualified name of the innermost function around it."""
    around: dict[int, str] = {}
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, prefix = waiting.pop()
        if isinstance(node, _Function):
            around |= dict.fromkeys(
                range(node.lineno, (node.end_lineno or node.lineno) + 1), prefix + node.name
            )
            prefix += f"{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            prefix += f"{node.name}."
        # Those inside come later, and override.
        waiting += [(child, prefix) for child in ast.iter_child_nodes(node)]
    return around
