"""New files that would be imported in place of something else."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import Tree

_IMPORT = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+(?P<names>[A-Za-z_][\w.]*(?:[ \t]*,[ \t]*[A-Za-z_][\w.]*)*)",
    re.M,
)
_AT_START = frozenset({"sitecustomize", "usercustomize"})


def findings(candidate: Candidate) -> Iterator[str]:
    """Modules and packages that are named like ones of the standard library or of a dependency."""
    taken = sys.stdlib_module_names | imported(candidate.before) | _AT_START | {"pytest", "_pytest", "pluggy"}
    there = own(candidate.before)
    for change in candidate.changes:
        if change.before is not None or not change.path.endswith((".py", ".pyi", ".so", ".pth")):
            continue
        for name, folder in _names(change.path):
            package = f"{folder}/__init__.py" if folder != "." else ""
            if name in taken and name not in there and package not in candidate.before:
                yield f"shadow: {change.path}:1: would be imported in place of {name}"
                break


def _names(path: str) -> Iterator[tuple[str, str]]:
    """What a file could be imported as, from which folder: each of its folders may be on the path."""
    pure = PurePosixPath(path)
    for part in (*pure.parents, pure):
        if part.name:
            yield part.name.partition(".")[0], str(part.parent)


def imported(tree: Tree) -> set[str]:
    """Top-level modules that the repository imports anywhere.

    Read by lines: parsing thousands of files took most of the time of these gates, and a line that only
    looks like an import can do no more than name a library that the repository mentions.
    """
    names: set[str] = set()
    for path, file in tree.items():
        for match in _IMPORT.finditer(file.data) if path.endswith(".py") else ():
            found = match["names"].decode(errors="replace").split(",")
            names.update(part.split()[0].partition(".")[0] for part in found if part.strip())
    return names


def own(tree: Tree) -> set[str]:
    """Names that the repository itself can be imported by: folders and modules, anywhere in it."""
    return {part.removesuffix(".py") for path in tree for part in path.split("/")}
