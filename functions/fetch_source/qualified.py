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
from functions.core.source.syntax_tree import named_functions, parse

_MOST_TWINS = 20


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
    tree = parse(text)
    if tree is None:
        return Named()
    around = _functions(tree)
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
    for name, function in named_functions(tree, ".<locals>."):  # those inside come later, and override
        around |= dict.fromkeys(range(function.lineno, (function.end_lineno or 0) + 1), name)
    return around
