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
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GROUP_HEADER = "  + Exception Group Traceback (most recent call last):"
_OPEN = re.compile(r" *\+-\+-{3,} ")
_NEXT = re.compile(r" *\+-{3,} ")
_CLOSE = re.compile(r" *\+-{20,}\s*$")
# Deeper than any printer draws: `traceback` stops at max_group_depth = 10.
_MAX_DEPTH = 64
_MAX_BARE_LINES = 40


@dataclass(slots=True)
class Node:
    """The text of one exception (and those chained to it) without gutters, and its sub-exceptions."""

    lines: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_tree(text: str, start: int) -> tuple[Node, int]:
    """Read the tree whose header line starts at offset `start`; returns it and the offset behind it.

    A tree that is cut off, or whose gutters break, ends at the last line that has one.
    """
    root = Node()
    path = [root]
    end = start
    while end < len(text):
        line_end = text.find("\n", end)
        line_end = len(text) if line_end < 0 else line_end
        line = text[end:line_end]
        body = line.lstrip(" ")
        column = len(line) - len(body)
        depth = column // 2
        if column % 2 or not 1 <= depth <= min(len(path), _MAX_DEPTH) + 1 or body[:1] not in ("|", "+"):
            closed = len(path) == 1 and bool(root.children)
            if closed or not _gutter_follows(text, line_end):
                break
            # The C printer of 3.11 and 3.12 forgets the gutter before a message's further lines, and before
            # a SyntaxError's source line and caret.
            path[-1].lines.append(line)
        elif body[0] == "|" or body.startswith("+ "):
            if depth > len(path):
                break
            del path[depth:]
            path[-1].lines.append(body[2:].removeprefix("Exception Group "))
        elif _OPEN.match(body) and depth <= len(path):
            del path[depth:]
            _add(path)
        elif _CLOSE.match(body):
            del path[max(depth - 1, 1) :]
        elif _NEXT.match(body) and 1 < depth <= len(path):
            del path[depth - 1 :]
            _add(path)
        else:
            break
        end = line_end + 1
    return root, min(end, len(text))


def _gutter_follows(text: str, line_end: int) -> bool:
    """Whether the tree goes on within a few lines, before another traceback starts."""
    for _ in range(_MAX_BARE_LINES):
        start, line_end = line_end + 1, text.find("\n", line_end + 1)
        line = text[start : line_end if line_end >= 0 else len(text)]
        if line.startswith(("  ", "+-")) and line.lstrip(" ")[:2] in ("| ", "+-"):
            return True
        if line_end < 0 or line.startswith(("Traceback (", GROUP_HEADER)):
            return False
    return False


def _add(path: list[Node]) -> None:
    child = Node()
    path[-1].children.append(child)
    path.append(child)
