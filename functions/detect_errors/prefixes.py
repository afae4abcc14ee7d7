"""Makes a log text canonical: one plain text per source of lines, without what shippers put around each line.

Order: characters (colours, byte order marks, carriage returns), hard wraps, one-line records, line prefixes
(which also tells interleaved sources apart), layouts of other printers (see layouts.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from functions.detect_errors.grammar import HEADER, STACK, exception_line
from functions.detect_errors.groups import GROUP_HEADER
from functions.detect_errors.layouts import BARE_HEADER, straighten
from functions.detect_errors.one_line import expand

_ANSI = re.compile(r"(?:\x1b|#033|\^\[)\[[0-9;:?]{0,32}[A-Za-z]|\x1b\][^\x07\n]{0,200}\x07|\x1b\([A-B0]")
_CSV_END = re.compile(r'"(?=\s*(?:,|$))', re.MULTILINE)
_ENTITIES = (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&"))
_LEADING_NBSP = re.compile(r"^[\xa0 ]*\xa0[\xa0 ]*", re.MULTILINE)
# Looked for outside of stacks only: inside them they are source code, and looking costs time.
ODD = (
    "#033[",
    "^[[",
    '\n\n  File "',
    "\n--- <exception",
    '\n> File "',
    "\n  Cell In[",
    '\nFile "',
    '\n  File "',
    "\n    ",
    "&quot;, line",
    'File ""',
)
_ODD_CHARACTERS = ("\xa0", "\ufeff", "\u2502")
FIRST_FRAME = f'{HEADER}\n  File "'

# Enough for the workers of one host; more distinct prefixes than this in one text are not demultiplexed.
_MAX_SOURCES = 16
_PROBE_LINES = 12
_MAX_PREFIX = 512
# A wrapped line's width: terminals and log viewers, not prose.
_WRAP_WIDTHS = range(60, 513)

_TIME = re.compile(
    r"\d[\d:.,/+TZ-]*\d:\d[\d:.,/+TZ-]*"  # times, and dates joined to them
    r"|\d{4}[-/]\d\d[-/]\d\d|\d{10,19}(?:\.\d+)?"  # dates, epochs
    r"|(?<=\[) *\d+\.\d{3,9}(?=\])"  # the kernel's clock
    r"|^ *\d+(?=[:\t|)>.])"  # line numbers
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A canonical text, and for each of its lines the number of the original line (None: the same)."""

    text: str
    origin: tuple[int, ...] | None = None

    def lines_of(self, offsets: Iterable[int]) -> list[int]:
        """The original line of each offset; ascending offsets take one pass over the text."""
        lines = []
        line = last = 0
        for offset in offsets:
            if offset < last:
                line = last = 0
            line, last = line + self.text.count("\n", last, offset), offset
            lines.append(line if self.origin is None else self.origin[min(line, len(self.origin) - 1)])
        return lines


def canonical(text: str) -> list[Stream]:
    """Split and clean a text. A text that is canonical already comes back as it is, at little cost."""
    return [Stream(text)] if outside_stacks(text) is not None else rewrite(text)


def rewrite(text: str) -> list[Stream]:
    """The work behind `canonical`, for a text that needs it."""
    text = clean(text)
    numbered = list(enumerate(text.split("\n")))
    if BARE_HEADER in text or 'File "' in text:
        numbered = _unwrap(numbered)
    streams = []
    for lines in _by_source(numbered):
        straight = straighten(expand(lines))
        streams.append(
            Stream("\n".join(line for _, line in straight), tuple(number for number, _ in straight))
        )
    return streams


def outside_stacks(text: str) -> str | None:
    """What a canonical text says outside of its stacks; None when the text is not canonical."""
    if "\r" in text or "\x1b" in text:
        return None
    if not text.isascii():
        for odd in _ODD_CHARACTERS:
            if odd in text:
                return None
    index = text.find(BARE_HEADER)
    if index < 0:
        return None if 'File "' in text else text
    outside = []
    end = 0
    while index >= 0:
        if text.startswith(FIRST_FRAME, index) and (index == 0 or text[index - 1] == "\n"):
            stack = STACK.match(text, index + len(HEADER))
            outside.append(text[end:index])
            # The newline that ends the stack stays: patterns are anchored to line starts.
            end = index + len(HEADER) if stack is None else stack.end() - 1
        elif not _is_quotation(text, index, end):
            return None
        index = text.find(BARE_HEADER, max(end, index + len(HEADER)))
    outside.append(text[end:])
    rest = "".join(outside)
    for odd in ODD:
        if odd in rest:
            return None
    return rest


def _is_quotation(text: str, index: int, stack_end: int) -> bool:
    """Whether the header at `index` is a group's, stands in its gutters, or is only mentioned in a line.

    stack_end: where the stack before it ends: its exception line may say anything.
    """
    end = index + len(HEADER)
    if text[end - 1 : end] != ":":
        return False
    line_start = text.rfind("\n", 0, index) + 1
    before = text[line_start:index]
    behind = text[end : end + 1]
    if line_start == stack_end + 1 and exception_line(before + HEADER) is not None:
        return True
    if not before:
        return behind in ("", "\n") and not text[end + 1 :].strip()
    gutter = before.replace("+ Exception Group ", "")
    if gutter.strip(" |") or before.isspace() or ("+" in before and gutter != "  "):
        return behind not in ("", "\n", "\\", " ", "#")
    return behind in ("", "\n")


def clean(text: str) -> str:
    """Remove colours and byte order marks; make every line end a newline and indents plain spaces."""
    if "\x1b" in text or "#033[" in text or "^[[" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\ufeff" in text:
        text = text.replace("\ufeff", "")
    if 'File ""' in text:  # CSV doubles quotes, and puts one before each comma and line end
        text = _CSV_END.sub("", text.replace('""', "\0")).replace("\0", '"')
    if "&quot;, line " in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    if "File \u201c" in text:
        text = text.replace("\u201c", '"').replace("\u201d", '"')
    if "\xa0" in text:
        text = _LEADING_NBSP.sub(lambda match: " " * len(match[0]), text)
    return text


def _unwrap(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Rejoin lines that a terminal broke at a fixed width, if something gives the width away."""
    width = max((len(line) for _, line in lines), default=0)
    if width not in _WRAP_WIDTHS or not (
        _breaks_in_file_name(lines, width) or _breaks_at_prefix(lines, width)
    ):
        return lines
    joined: list[tuple[int, str]] = []
    full = False
    for number, line in lines:
        if full:
            joined[-1] = (joined[-1][0], joined[-1][1] + line)
        else:
            joined.append((number, line))
        full = len(line) == width
    return joined


def _breaks_in_file_name(lines: list[tuple[int, str]], width: int) -> bool:
    """Whether a frame line as long as the longest line goes on in the next one."""
    return any(
        len(line) == width and 'File "' in line and '", line ' not in line and '", line ' in line + following
        for (_, line), (_, following) in pairwise(lines)
    )


def _breaks_at_prefix(lines: list[tuple[int, str]], width: int) -> bool:
    """Whether exactly the lines behind those of full width lack the prefix that the header's line has."""
    header = next((line for _, line in lines if line.rstrip().endswith(HEADER)), "")
    prefix = header[: header.find(HEADER)]
    if not prefix.strip(" |+") or len(prefix) > _MAX_PREFIX:
        return False
    matcher = re.compile(_pattern(prefix))
    breaks = [
        (len(before) == width, matcher.match(line) is None)
        for (_, before), (_, line) in pairwise(lines)
        if line
    ]
    return (True, True) in breaks and all(full == bare for full, bare in breaks)


def _by_source(lines: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Take off what stands in front of every line of a source, and give each source its own list."""
    matchers: dict[str, re.Pattern[str]] = {}
    # Groups first: the gutters of their sub-exceptions must not be taken for a source's prefix.
    for header in (GROUP_HEADER, HEADER):
        for index, (_, line) in enumerate(lines):
            position = line.find(header)
            if (
                not 0 < position <= _MAX_PREFIX
                or line[position + len(header) :].strip()
                or len(matchers) >= _MAX_SOURCES
                or not line[:position].strip(" |\t")
            ):
                continue
            pattern = _pattern(line[:position])
            if pattern in matchers or any(_is_gutter(line, position, known) for known in matchers.values()):
                continue
            matcher = re.compile(pattern)
            following = lines[index + 1 : index + 1 + _PROBE_LINES]
            if any(
                (match := matcher.match(after)) and _continues(after[match.end() :]) for _, after in following
            ):
                matchers[pattern] = matcher
    if not matchers:
        return [lines]
    order = [matchers[key] for key in sorted(matchers, key=len, reverse=True)]
    streams: list[list[tuple[int, str]]] = [[] for _ in range(len(order) + 1)]
    for number, line in lines:
        for stream, matcher in zip(streams, order, strict=False):
            if match := matcher.match(line):
                stream.append((number, line[match.end() :]))
                break
        else:
            streams[-1].append((number, line))
    return [stream for stream in streams if stream]


def _is_gutter(line: str, position: int, known: re.Pattern[str]) -> bool:
    """Whether nothing but a group's gutters stands between a known prefix and the header."""
    match = known.match(line)
    return match is not None and not line[match.end() : position].strip(" |+")


def _pattern(prefix: str) -> str:
    """A pattern for the same prefix on another line: times and dates may differ, all else may not."""
    parts = []
    end = 0
    core = prefix.rstrip(" \t")
    for match in _TIME.finditer(core):
        other = r" *[\d.]{1,40}" if match[0][0] == " " else r"\d[\d:.,/+TZ-]{0,40}"
        parts += [re.escape(core[end : match.start()]), other]
        end = match.end()
    parts.append(re.escape(core[end:]))
    # Shippers drop trailing blanks, so an empty line may end with the prefix's last visible character.
    return "".join(parts) + f"(?:{re.escape(prefix[len(core) :])}|[ \\t]*$)"


def _continues(rest: str) -> bool:
    return rest.lstrip(" |>").startswith(("File ", "Cell In["))
