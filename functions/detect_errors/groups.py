"""Exception groups: the tree that `TracebackException.format` draws with `| ` and `+-` gutters.

    + Exception Group Traceback (most recent call last):
    |   File ...
    | ExceptionGroup: message (2 sub-exceptions)
    +-+---------------- 1 ----------------
      | Traceback (most recent call last):
      ...
      +---------------- 2 ----------------
      | ...
      +------------------------------------

A node's own lines carry one gutter in one column; its sub-exceptions' gutter is two columns further right.
What copies a log may take away columns or gutters, so the tree is read from the rules between its nodes:
`+-+` goes down, `+- 2 -` is the next one of the node whose last one was 1, and the closing rule ends the
innermost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from functions.detect_errors.grammar import HEADER, RECORD_START, line_end

GROUP = "Exception Group Traceback (most recent call last):"
GROUP_HEADER = f"  + {GROUP}"
_RULE = re.compile(r"[ |]*+(\+-\+-{3,}+|\+-{3,}+)(?: (\d{1,4}|\.\.\.) -{3,}+)?\s*+$")
_GUTTER = re.compile(r"( *+)\|(?: |$)")
_OPENING = re.compile(r"\s*+(?:\Z|\||\+-|File )")
# Deeper than any printer draws: `traceback` stops at max_group_depth = 10.
_MAX_DEPTH = 64
_MAX_BARE_LINES = 40


@dataclass(slots=True)
class Node:
    """The text of one exception (and those chained to it) without gutters, and its sub-exceptions."""

    column: int
    lines: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def is_opened(text: str, end: int) -> bool:
    """Whether a group follows the header that ends at offset `end`: messages may spell one, too."""
    return _OPENING.match(text, end) is not None


def read_tree(text: str, start: int) -> tuple[Node, int]:
    """Read the tree whose header line starts at offset `start`; returns it and the offset behind it.

    A tree that is cut off, or whose gutters break, ends at the last line that belongs to it.
    """
    path = [Node(2, [HEADER])]
    root = path[0]
    end, known = line_end(text, start) + 1, 0
    while end < len(text):
        stop = line_end(text, end)
        line = text[end:stop]
        rule = _RULE.match(line) if "---" in line else None
        if rule is not None:
            if not _follow(path, rule[1].startswith("+-+"), rule[2], line.index("+")):
                break
        elif (gutter := _GUTTER.match(line)) is not None:
            column = gutter.end(1)
            while len(path) > 1 and 0 < column < path[-1].column:
                path.pop()
            path[-1].lines.append(line[gutter.end() :].removeprefix(GROUP[: -len(HEADER)]))
        elif line.strip():
            if end >= known:
                known = 0 if root.children and len(path) == 1 else _goes_on(text, stop)
                if not known:
                    break
            # The C printer of 3.11 and 3.12 forgets the gutter before a message's further lines, and before
            # a SyntaxError's source line and caret; some copies have none at all.
            path[-1].lines.append(line.removeprefix(GROUP[: -len(HEADER)]))
        end = stop + 1
    return root, min(end, len(text))


def _follow(path: list[Node], opens: bool, number: str | None, column: int) -> bool:
    """Follow a rule between nodes: one step down, to the next sub-exception, or behind the innermost."""
    if not opens and number is None:
        if len(path) > 1:
            path.pop()
        return True
    if opens and len(path) >= _MAX_DEPTH:
        return False
    if not opens:
        depths = [i for i, node in enumerate(path) if i and node.column == column and column] or [
            i + 1 for i, node in enumerate(path) if str(len(node.children) + 1) == number
        ]
        del path[depths[-1] if depths else max(len(path) - 1, 1) :]
    child = Node(column + 2 * opens if column else 0)
    path[-1].children.append(child)
    path.append(child)
    return True


def _goes_on(text: str, stop: int) -> int:
    """Offset of the next line with a gutter or a rule, 0 when another record or traceback comes first."""
    for _ in range(_MAX_BARE_LINES):
        start, stop = stop + 1, text.find("\n", stop + 1)
        line = text[start : stop if stop >= 0 else len(text)]
        if _GUTTER.match(line) or _RULE.match(line):
            return start
        if stop < 0 or (RECORD_START.match(line) and not line.startswith(HEADER)):
            return 0
    return 0
