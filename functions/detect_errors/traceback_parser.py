"""Finds the tracebacks in a canonical text: chained, grouped, cut at either end, several in a row."""

from __future__ import annotations

import re

from functions.detect_errors.grammar import (
    HEADER,
    RECORD_START,
    SEPARATOR,
    STACK,
    STACK_LINES,
    FrameReader,
    exception_line,
    line_end,
    message_end,
    telling_type,
)
from functions.detect_errors.groups import GROUP_HEADER, Node, is_opened, read_tree
from functions.detect_errors.model import Found, PrintedException

_IN_GROUP = len(GROUP_HEADER) - len(HEADER)
_LAMBDA_HEAD = "[ERROR] "
_LEVEL = re.compile(r"\b(critical|fatal|error|warn(?:ing)?|info|debug)\b", re.IGNORECASE)
_SUB_EXCEPTIONS = re.compile(r" \(\d+ sub-exceptions?\)")
_STACK_START = re.compile(r'^  File "', re.MULTILINE)
_QUOTED_HEADER = re.compile(rf"^([^\n]*: |Original ){re.escape(HEADER)}", re.MULTILINE)
_MAX_DEPTH = 12


def scan(text: str, frames: FrameReader, *, alone: bool = False, depth: int = 0) -> list[Found]:
    """All errors of a canonical text, in the order in which they are printed.

    alone: the text is exactly one formatted exception (a field of a JSON record), so a second header
    without a chain sentence before it is a quotation within the message.
    """
    return _Scan(text, frames, alone, depth).run()


class _Scan:
    def __init__(self, text: str, frames: FrameReader, alone: bool, depth: int) -> None:
        self.text = text
        self.frames = frames
        self.alone = alone
        self.depth = depth
        self.found: list[Found] = []
        self.open: Found | None = None
        """What a chain sentence may still continue."""

    def run(self) -> list[Found]:
        text, position = self.text, 0
        while True:
            start, grouped = self._next_header(position)
            gap = text[position:start]
            relation = self._gap(gap, position) if gap.strip() else ""
            if start == len(text):
                break
            if not relation:
                self._close()
            if grouped and self.depth < _MAX_DEPTH:
                position = self._group(start, gap, relation)
            else:
                position = self._traceback(start + (_IN_GROUP if grouped else 0), gap, relation)
        self._close()
        return self.found

    def _next_header(self, position: int) -> tuple[int, bool]:
        """Offset of the next header's line (the text's length if none), and whether it is a group's."""
        text = self.text
        while (index := text.find(HEADER, position)) >= 0:
            if index == 0 or text[index - 1] == "\n":
                return index, False
            start = index - _IN_GROUP
            if (
                start >= 0
                and text.startswith(GROUP_HEADER, start)
                and (start == 0 or text[start - 1] == "\n")
                and is_opened(text, index + len(HEADER))
            ):
                return start, True
            position = index + len(HEADER)
        return len(text), False

    def _close(self) -> None:
        if self.open is not None:
            self.found.append(self.open)
            self.open = None

    def _add(self, found: Found, relation: str = "") -> None:
        """Take what was read as the error that may go on, or as what the error before it led to."""
        before = self.open
        if relation and before is not None:
            led = before.raised._replace(relation=relation, chain=())
            raised = found.raised._replace(chain=(*before.raised.chain, led, *found.raised.chain))
            found = found._replace(raised=raised, at=before.at, level=before.level)
        else:
            self._close()
        self.open = found

    def _traceback(self, start: int, gap: str, relation: str) -> int:
        """Read header, stack, exception line and message at `start`; returns the offset behind them."""
        text = self.text
        match = STACK.match(text, start + len(HEADER))
        if match is None:
            return start + len(HEADER)
        frames = self.frames(match[1])
        end = match.end()
        stop = line_end(text, end)
        named = exception_line(text[end:stop])
        head = None if relation else lambda_head(gap)
        kind = (head.raised.type or "") if head else ""
        if head and (named is None or not (telling_type(named[0]) or _same_type(named[0], kind))):
            # Lambda's runtime prints type and message before the header, and nothing after the stack.
            raised, whole = head.raised._replace(frames=frames), bool(frames) or kind.startswith("Runtime.")
            self._add(Found(raised, start - len(gap) + head.at, "ERROR", whole, "", end))
        elif named is None or (not frames and not self._follows_header(named[0], end)):
            raised = PrintedException(None, "", frames)
            self._add(Found(raised, start, level_before(gap), False, "", end), relation)
        else:
            end = message_end(text, stop, alone=self.alone)
            message = text[stop - len(named[1]) : end].rstrip("\n") if end > stop else named[1]
            quotes = "\n" in message and 'File "' in message and self.depth < _MAX_DEPTH
            raised = PrintedException(named[0], message, frames, "", self._quoted(message) if quotes else ())
            # Without frames, the stack is in events of its own.
            whole = bool(frames) or self.alone
            self._add(Found(raised, start, level_before(gap), whole, "", end), relation)
        return end

    def _quoted(self, message: str) -> tuple[PrintedException, ...]:
        """The tracebacks that a message quotes, say of a child process: evidence, not errors of their own."""
        quotation = _QUOTED_HEADER.sub(rf"\1\n{HEADER}", message.partition("\n")[2])
        found = scan(quotation, self.frames, depth=self.depth + 1)
        return tuple(
            one._replace(relation="quoted") for each in found for one in (*each.raised.chain, each.raised)
        )

    def _follows_header(self, name: str, end: int) -> bool:
        """Whether an exception line right behind a header is credible: the frames were filtered out."""
        return self.alone or telling_type(name) or end >= len(self.text)

    def _group(self, start: int, gap: str, relation: str) -> int:
        node, end = read_tree(self.text, start)
        raised = self._from_node(node)
        self._add(Found(raised, start, level_before(gap), raised.type is not None, "", end), relation)
        return end

    def _from_node(self, node: Node) -> PrintedException:
        found = scan(node.text, self.frames, alone=True, depth=self.depth + 1)
        members = tuple(self._from_node(child) for child in node.children)
        if not found:
            named = exception_line(node.lines[0]) if node.lines else None
            message = "\n".join([named[1], *node.lines[1:]]) if named else ""
            return PrintedException(named[0] if named else None, message, members=members)
        raised = found[-1].raised
        if not members or _SUB_EXCEPTIONS.search(raised.message) or not raised.chain:
            return raised._replace(members=members)
        # The group is a cause of what was raised later within the same gutter.
        chain = list(raised.chain)
        for index in range(len(chain) - 1, -1, -1):
            if _SUB_EXCEPTIONS.search(chain[index].message):
                chain[index] = chain[index]._replace(members=members)
                break
        return raised._replace(chain=tuple(chain))

    def _gap(self, gap: str, offset: int) -> str:
        """Read the text between two tracebacks; returns the relation when it chains them."""
        separators = list(SEPARATOR.finditer(gap))
        if not separators:
            self._close()
            self._headerless(gap, offset)
            return ""
        self._before_separator(gap[: separators[0].start()], offset)
        relation = ""
        for index, separator in enumerate(separators):
            relation = "cause" if separator[1] else "context"
            last = index + 1 == len(separators)
            part = gap[separator.end() : None if last else separators[index + 1].start()]
            if part.strip() and (raised := _bare(part)) is not None:
                at = offset + separator.end()
                self._add(Found(raised, at, end=at + len(part)), relation)
                relation = ""
        return relation if self.open is not None else ""

    def _before_separator(self, part: str, offset: int) -> None:
        # A remote traceback is a message between triple quotes; the end of the quotes ends nothing else.
        if not part.strip().strip("\"'"):
            return
        if self.open is not None and self.open.raised.type and not _any_record(part):
            # An empty line had ended the message too early.
            raised = self.open.raised
            raised = raised._replace(message=(raised.message + part).rstrip("\n"))
            self.open = self.open._replace(raised=raised)
            return
        self._close()
        self._headerless(part, offset)
        if self.found and self.found[-1].at >= offset:
            self.open = self.found.pop()
        elif (bare := _bare(part)) is not None:
            self.open = Found(bare, offset, end=offset + len(part))

    def _headerless(self, gap: str, offset: int) -> None:
        """Stacks without a header: a SyntaxError that was never raised through a frame, or a cut text."""
        if '  File "' not in gap:
            return
        position, text_end = 0, len(gap.rstrip())
        while (start := _STACK_START.search(gap, position)) is not None:
            stack = STACK_LINES.match(gap, start.start())
            if stack is None:
                break
            position = stack.end()
            before = gap[: start.start()].rstrip("\n").rpartition("\n")[2]
            if before.endswith(("(most recent call last):", "Call stack:")):
                continue  # logging's stack_info and asyncio's debug mode show where something was made
            frames = self.frames(stack[0])
            stop = line_end(gap, position)
            named = exception_line(gap[position:stop])
            if named is None or not frames:
                if position >= text_end and frames and offset + len(gap) == len(self.text):
                    raised, end = PrintedException(None, "", frames), offset + len(gap)
                    self._add(Found(raised, offset + start.start(), "", False, "", end))
                continue
            position = message_end(gap, stop, alone=self.alone)
            raised = PrintedException(named[0], gap[stop - len(named[1]) : position].rstrip("\n"), frames)
            # Below the source line of a frame that is gone there were frames that count.
            whole = not before.startswith("    ")
            self._add(Found(raised, offset + start.start(), "", whole, "", offset + position))
            self._close()


def lambda_head(gap: str) -> Found | None:
    """`[ERROR] Type: message` right before the header, as Lambda's runtime prints it; tools put more before
    it."""
    index = gap.rfind(_LAMBDA_HEAD)
    if index < 0:
        return None
    start = gap.rfind("\n", 0, index) + 1
    body = gap[index + len(_LAMBDA_HEAD) :].rstrip("\n")
    first, _, rest = body.partition("\n")
    named = exception_line(first)
    if named is None or (start < index and not telling_type(named[0])) or (rest and _any_record(rest)):
        return None
    return Found(PrintedException(named[0], f"{named[1]}\n{rest}" if rest else named[1]), start, "ERROR")


def _same_type(name: str, other: str) -> bool:
    return name.rpartition(".")[2] == other.rpartition(".")[2]


def _any_record(part: str) -> bool:
    return any(RECORD_START.match(line) for line in part.split("\n"))


def _bare(part: str) -> PrintedException | None:
    """An exception that was never raised: the last paragraph that starts with an exception line."""
    lines = part.strip("\n").split("\n")
    for index in range(len(lines) - 1, -1, -1):
        if index and lines[index - 1].strip() and not RECORD_START.match(lines[index - 1]):
            continue
        named = exception_line(lines[index])
        if named is not None and (telling_type(named[0]) or index == 0):
            return PrintedException(named[0], "\n".join([named[1], *lines[index + 1 :]]).rstrip("\n"))
    return None


def level_before(gap: str) -> str:
    """The level of the record that the traceback belongs to: the line right before its header.

    Only a warning says something there: at INFO and DEBUG the line is more often another record, behind
    which an uncaught error was printed.
    """
    if "WARN" not in gap and "warn" not in gap:
        return ""
    line = gap.rstrip("\n").rpartition("\n")[2]
    match = _LEVEL.search(line, 0, 160)
    return "WARNING" if match and match[1][:4].upper() == "WARN" else ""
