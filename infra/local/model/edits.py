"""From changes at positions to search-and-replace edits whose search text occurs exactly once."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence

from functions.core.workflow.proposal import Edit
from infra.local.model.source import SourceFile, Splice

_WHOLE_LINES_SHOWN = 3
"""Lines of search text to aim for when parts of the file are hidden: a short one may occur there too."""


_MASKED = "[redacted "
"""How the prompt marks masked text, which the file itself does not hold."""


class NotUnique(ValueError):
    """No search text around the change occurs exactly once in what is shown."""


def to_edits(file: SourceFile, splices: Sequence[Splice]) -> tuple[Edit, ...]:
    """The edits that make `splices` in `file`, one per changed run of lines.

    Raises NotUnique, and SyntaxError when a file shown in full would no longer compile.
    """
    last = max(file.lines)
    old = [file.lines.get(number, "") for number in range(1, last + 1)]
    new = apply_splices("\n".join(old) + "\n", splices).split("\n")[:-1]
    if len(file.lines) == last:
        ast.parse("\n".join(new))
    edits = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            edits.append(_edit(file, old, (i1, i2), new[j1:j2]))
    return tuple(edits)


def apply_splices(text: str, splices: Sequence[Splice]) -> str:
    """The text with all changes made; splices must not overlap."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for splice in reversed(sorted(splices, key=lambda s: s.start)):  # noqa: C413 - keeps the order of equals
        start = starts[splice.start[0] - 1] + splice.start[1]
        end = starts[splice.end[0] - 1] + splice.end[1]
        text = text[:start] + splice.text + text[end:]
    return text


def _edit(file: SourceFile, old: list[str], span: tuple[int, int], added: list[str]) -> Edit:
    """Grow the span of old lines until its text occurs once; lines that are not shown are never used."""
    start, end = span
    usable = {number for number, line in file.lines.items() if _MASKED not in line}
    if not all(number in usable for number in range(start + 1, end + 1)):
        raise NotUnique(f"{file.path}: line {start + 1} is masked or not shown")
    shown = "\n".join(old)
    wanted = 1 if len(file.lines) == len(old) else _WHOLE_LINES_SHOWN
    while True:
        search = "\n".join(old[start:end])
        if search.strip() and shown.count(search) == 1 and end - start >= wanted:
            break
        above, below = start in usable, end + 1 in usable
        if above and (not below or span[0] - start <= end - span[1]):
            start -= 1
        elif below:
            end += 1
        elif search.strip() and shown.count(search) == 1:
            break
        else:
            raise NotUnique(f"{file.path}: no text around line {span[0] + 1} occurs exactly once")
    replace = "\n".join([*old[start : span[0]], *added, *old[span[1] : end]])
    return Edit(file.path, search, replace)
