"""Gate 8: the patch leaves formatting alone outside of what it changes."""

from __future__ import annotations

from collections.abc import Iterator

from functions.core.notify.counts import counted
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.diff import opcodes
from functions.validate_patch.tree import Change

_NOISE_LIMIT = 2
"""Lines that a change of a neighbour may drag along, such as a re-wrapped call."""


def findings(candidate: Candidate) -> tuple[str, ...]:
    """Formatting that changed for no reason, one sentence each."""
    return tuple(text for change in candidate.changes for text in _of_file(change))


def _of_file(change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    if after is None:
        return
    if before is not None:
        if _endings(before.data) == {b"\n"} and b"\r" in after.data:
            yield f"{change.path}: line endings change from LF to CRLF"
        if before.data.startswith(b"\xef\xbb\xbf") != after.data.startswith(b"\xef\xbb\xbf"):
            yield f"{change.path}: the byte order mark changes"
        if _last(before.data) == _last(after.data) and before.data[-1:] != after.data[-1:]:
            yield f"{change.path}: the newline at the end of the file changes"
        noise = _reformatted(before.data, after.data)
        if len(noise) > _NOISE_LIMIT:
            shown = ", ".join(map(str, noise[:8]))
            differ = counted(len(noise), "line differs", "lines differ")
            yield f"{change.path}: {differ} only in white space or layout (lines {shown})"
    elif b"\r" in after.data:
        yield f"{change.path}: a new file uses CRLF line endings"


def _last(data: bytes) -> bytes:
    """The last line: where it is another one, the newline behind it is a part of what changes."""
    return data.rstrip(b"\n").rpartition(b"\n")[2]


def _endings(data: bytes) -> set[bytes]:
    return {b"\r\n" if line.endswith(b"\r") else b"\n" for line in data.split(b"\n")[:-1]}


def _reformatted(before: bytes, after: bytes) -> list[int]:
    """New lines that differ from an old line in white space alone, indentation under new blocks aside."""
    old, new = before.split(b"\n"), after.split(b"\n")
    found = []
    for tag, i1, i2, j1, j2 in opcodes(old, new):
        if tag != "replace":
            continue
        squeezed = {b"".join(line.split()): line for line in old[i1:i2] if line.strip()}
        for number, line in enumerate(new[j1:j2], j1 + 1):
            twin = squeezed.get(b"".join(line.split()))
            # Moved under a new `if` or `with`, a line keeps all but its indentation: that is a real change.
            if (
                twin is not None
                and twin.strip() == line.strip()
                and twin.rstrip() == twin
                and line.rstrip() == line
            ):
                continue
            if twin is not None:
                found.append(number)
    return found
