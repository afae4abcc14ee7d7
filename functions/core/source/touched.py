"""Which lines a patch touches, in the files as they were before it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NAMED = re.compile(rb'(?:---|\+\+\+) ("?)[ab]/(.*?)\1\t?')
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def touched(patch: bytes) -> dict[str, frozenset[int]]:
    """Path → numbers (1-based) of the lines that are removed, and that stand beside what is added; the last
    of them may be one beyond the file's end. A new file has none.

    patch: as `functions.validate_patch.diff.patch_of` writes it.
    """
    found: dict[str, set[int]] = {}
    path, lines = "", iter(patch.split(b"\n"))
    for line in lines:
        if named := _NAMED.fullmatch(line):
            name = _ESCAPED.sub(lambda one: bytes([int(one[1], 8)]), named[2]) if named[1] else named[2]
            path = name.decode(errors="replace")
            found.setdefault(path, set())
        elif hunk := _HUNK.match(line):
            found[path].update(_of_hunk(lines, int(hunk[1]), int(hunk[2] or 1), int(hunk[3] or 1)))
    return {path: frozenset(numbers) for path, numbers in found.items()}


def _of_hunk(lines: Iterator[bytes], number: int, old: int, new: int) -> Iterator[int]:
    """A hunk is as long as its header says, so that code which looks like a header stays code."""
    fresh, removing = (number, old) == (0, 0), False
    number += not old  # an empty range names the line before it
    while old > 0 or new > 0:
        line = next(lines, b"")
        sign = line[:1]
        if sign == b"+":
            new -= 1
            # What takes the place of lines that go stands beside none.
            yield from () if removing or fresh else (one for one in (number - 1, number) if one)
        elif sign in (b"-", b" "):
            if sign == b"-":
                yield number
            old, new, number = old - 1, new - (sign == b" "), number + 1
            removing = sign == b"-"
        elif sign != b"\\":
            return
