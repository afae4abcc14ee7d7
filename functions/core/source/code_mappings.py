"""Where a frame of a traceback lies in the repository: said when it cannot be told, never guessed."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from functions.core.notify.counts import counted


@dataclass(frozen=True, slots=True)
class Location:
    """`path` in the repository, or None and the `problem` in words."""

    path: str | None
    problem: str = ""


def locate(file: str, paths: Collection[str], source_roots: Mapping[str, str]) -> Location:
    """Find a deployed file among a repository's paths.

    In this order: the app's path rules (deployed directory → repository directory, longest first); then the
    longest suffix of whole path components that a file has, of at least two components, because a base name
    says too little; a path that was printed relative must match as a whole. More than one match is no match.
    """
    printed = posixpath.normpath(file.replace("\\", "/"))
    for root in sorted(source_roots, key=len, reverse=True):
        base = root.rstrip("/") + "/"
        if printed.startswith(base):
            candidate = posixpath.normpath(posixpath.join(source_roots[root], printed[len(base) :]))
            if candidate in paths:
                return Location(candidate)
    if not printed.startswith("/") and printed in paths:
        return Location(printed)
    parts = printed.strip("/").split("/")
    for start in range(len(parts) - 1):
        suffix = "/".join(parts[start:])
        matches = sorted(path for path in paths if path == suffix or path.endswith(f"/{suffix}"))
        if len(matches) == 1:
            return Location(matches[0])
        if matches:
            shown = ", ".join(matches[:4])
            return Location(
                None, f"{counted(len(matches), 'file')} of the repository end in {suffix}: {shown}"
            )
    return Location(None, "no file of the repository ends in the same directory and name")
