"""A unified diff as rows to show. Every line of the patch is shown, or said by its file's heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, zip_longest

from markupsafe import Markup, escape

from functions.core.untrusted.hidden import spelled_out
from functions.decide_approval import highlight, words

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@.*")
# What the heading of a file says already. What git adds in other cases (modes, renames) stays visible.
_SAID = re.compile(
    r"diff --git .*|index [0-9a-f]+\.\.[0-9a-f]+( 100644)?|(---|\+\+\+) .*|new file mode 100644"
)
# Beyond this many lines the rest is shown without colours: a page must not take seconds.
_COLOURED_LINES = 3_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a patch. `kind`: a(dded), r(emoved), c(ontext), h(unk header), m(eta)."""

    kind: str
    code: Markup
    old: int | None = None
    new: int | None = None


Pair = tuple[Row | None, Row | None]
"""A line before and after, side by side."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a patch does to one file."""

    path: str
    rows: tuple[Row, ...]
    new_file: bool = False
    deleted: bool = False

    @property
    def added(self) -> int:
        return sum(row.kind == "a" for row in self.rows)

    @property
    def removed(self) -> int:
        return sum(row.kind == "r" for row in self.rows)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The rows side by side: what was removed stands beside what was added in its place."""
        found: list[Pair] = []
        for changed, stretch in groupby(self.rows, key=lambda row: row.kind in "ar"):
            rows = list(stretch)
            if changed:
                gone, new = ([row for row in rows if row.kind == kind] for kind in "ra")
                found += zip_longest(gone, new)
            else:
                found += [(row, row) for row in rows]
        return tuple(found)


@dataclass(slots=True)
class _Part:
    """A hunk with its header, or (without numbers) lines outside any hunk."""

    header: str = ""
    old: int = 0
    new: int = 0
    lines: list[str] = field(default_factory=list)


def parse(patch: str) -> tuple[FileDiff, ...]:
    """The files of a patch as `git diff` prints it. Text that is no diff is shown as it is."""
    lines = spelled_out(patch).removesuffix("\n").split("\n")
    colour = len(lines) <= _COLOURED_LINES
    files: list[list[_Part]] = []
    for part in _parts(lines):
        if not part.header or not files:
            files.append([])
        files[-1].append(part)
    return tuple(_file(parts, colour=colour) for parts in files)


def _parts(lines: list[str]) -> Iterator[_Part]:
    """Hunks and what stands between them.

    A hunk is as long as its header says, so that code which looks like a header stays code. It ends early at
    a line that no hunk can hold: a header that lies must not make the next file look like code.
    """
    part = _Part()
    old = new = 0
    for line in lines:
        in_hunk = (old > 0 or new > 0) and line[:1] in ("", " ", "+", "-", "\\")
        after_hunk = bool(part.header) and line.startswith("\\")
        if in_hunk or after_hunk:
            old -= line[:1] in ("", " ", "-")
            new -= line[:1] in ("", " ", "+")
            part.lines.append(line)
            continue
        match = _HUNK.fullmatch(line)
        if match or part.header or (line.startswith("diff --git ") and part.lines):
            if part.header or part.lines:
                yield part
            part = _Part()
        old = new = 0
        if match:
            old, new = int(match[2] or 1), int(match[4] or 1)
            part = _Part(line, int(match[1]), int(match[3]))
        else:
            part.lines.append(line)
    yield part


def _file(parts: list[_Part], *, colour: bool) -> FileDiff:
    header = [] if parts[0].header else parts[0].lines
    path = _path(header)
    rows = [Row("m", escape(line)) for line in header if not _SAID.fullmatch(line)]
    for part in parts:
        if part.header:
            rows.append(Row("h", escape(part.header)))
            rows += _hunk(part, path if colour else "")
    return FileDiff(
        path=path,
        rows=tuple(rows),
        new_file=any(line.startswith("new file") for line in header),
        deleted=any(line.startswith("deleted file") for line in header),
    )


def _path(header: list[str]) -> str:
    for prefix in ("+++ b/", "--- a/", "+++ ", "--- "):
        for line in header:
            if line.startswith(prefix) and not line.endswith("/dev/null"):
                return line.removeprefix(prefix).rstrip("\t")
    return header[0].removeprefix("diff --git ") if header else ""


def _hunk(part: _Part, path: str) -> list[Row]:
    marks = words.changed(part.lines)
    # Both sides are coloured as a whole, so that a string that began lines above is still a string.
    before = iter(highlight.lines("\n".join(s[1:] for s in part.lines if s[:1] not in ("+", "\\")), path))
    after = iter(highlight.lines("\n".join(s[1:] for s in part.lines if s[:1] not in ("-", "\\")), path))
    rows = []
    old, new = part.old, part.new
    for number, line in enumerate(part.lines):
        match line[:1]:
            case "+":
                rows.append(Row("a", words.marked(next(after), marks.get(number, ())), None, new))
                new += 1
            case "-":
                rows.append(Row("r", words.marked(next(before), marks.get(number, ())), old, None))
                old += 1
            case "\\":
                rows.append(Row("m", escape(line)))
            case _:
                next(before)
                rows.append(Row("c", next(after), old, new))
                old, new = old + 1, new + 1
    return rows
