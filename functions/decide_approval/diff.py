"""A unified diff as rows to show. Every line of the patch becomes exactly one row: nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

from functions.decide_approval import highlight
from functions.decide_approval.text import visible

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)")
# Beyond this many lines the rest is shown without colours: a page must not take seconds.
_COLOURED_LINES = 3_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a patch. `kind`: a(dded), r(emoved), c(ontext), h(unk header), m(eta)."""

    kind: str
    code: Markup
    old: int | None = None
    new: int | None = None


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


def parse(patch: str) -> tuple[FileDiff, ...]:
    """The files of a patch as `git diff` prints it. Text that is no diff is shown as it is."""
    lines = visible(patch).split("\n")
    if lines and not lines[-1]:
        lines.pop()
    files = []
    coloured = 0
    for block in _blocks(lines):
        coloured += len(block)
        files.append(_file(block, colour=coloured <= _COLOURED_LINES))
    return tuple(files)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """The lines of each file. A header inside a hunk is code, so hunk lengths are respected."""
    block: list[str] = []
    old = new = 0
    for index, line in enumerate(lines):
        in_hunk = old > 0 or new > 0
        if not in_hunk and block and _starts_file(lines, index, block):
            yield block
            block = []
        if in_hunk:
            old -= line[:1] in (" ", "-", "")
            new -= line[:1] in (" ", "+", "")
        elif match := _HUNK.match(line):
            old, new = _lengths(match)
        block.append(line)
    if block:
        yield block


def _starts_file(lines: list[str], index: int, block: list[str]) -> bool:
    if lines[index].startswith("diff --git "):
        return True
    bare_header = lines[index].startswith("--- ") and lines[index + 1 : index + 2] != []
    return bare_header and any(_HUNK.match(line) for line in block)


def _lengths(match: re.Match[str]) -> tuple[int, int]:
    return int(match[2] or 1), int(match[4] or 1)


def _file(block: list[str], *, colour: bool) -> FileDiff:
    path = _path(block)
    rows: list[Row] = []
    index = 0
    while index < len(block):
        match = _HUNK.match(block[index])
        if not match:
            rows.append(Row("m", escape(block[index])))
            index += 1
            continue
        rows.append(Row("h", escape(block[index])))
        body = _body(block, index + 1, *_lengths(match))
        rows += _hunk(body, int(match[1]), int(match[3]), path if colour else "")
        index += 1 + len(body)
    header = [row.code for row in rows if row.kind == "m"]
    return FileDiff(
        path=path,
        rows=tuple(row for row in rows if not (row.kind == "m" and _is_plain_header(str(row.code)))),
        new_file=any(line.startswith("new file") for line in header),
        deleted=any(line.startswith("deleted file") for line in header),
    )


def _is_plain_header(line: str) -> bool:
    # Said already by the file's heading. What git adds in other cases (modes, renames) stays visible.
    return line.startswith(("diff --git ", "index ", "--- ", "+++ ", "new file mode 100644"))


def _path(block: list[str]) -> str:
    for prefix in ("+++ b/", "--- a/", "+++ ", "--- "):
        for line in block:
            if line.startswith("@@"):
                break
            if line.startswith(prefix) and not line.endswith("/dev/null"):
                return line.removeprefix(prefix).rstrip("\t")
    return block[0].removeprefix("diff --git ") if block else ""


def _body(block: list[str], start: int, old: int, new: int) -> list[str]:
    end = start
    while end < len(block) and (old > 0 or new > 0 or block[end].startswith("\\")):
        old -= block[end][:1] in (" ", "-", "")
        new -= block[end][:1] in (" ", "+", "")
        end += 1
    return block[start:end]


def _hunk(body: list[str], old: int, new: int, path: str) -> list[Row]:
    # Both sides are coloured as a whole, so that a string that began lines above is still a string.
    before = iter(highlight.lines("\n".join(line[1:] for line in body if line[:1] not in ("+", "\\")), path))
    after = iter(highlight.lines("\n".join(line[1:] for line in body if line[:1] not in ("-", "\\")), path))
    rows = []
    for line in body:
        match line[:1]:
            case "+":
                rows.append(Row("a", next(after), None, new))
                new += 1
            case "-":
                rows.append(Row("r", next(before), old, None))
                old += 1
            case "\\":
                rows.append(Row("m", escape(line)))
            case _:
                next(before)
                rows.append(Row("c", next(after), old, new))
                old, new = old + 1, new + 1
    return rows
