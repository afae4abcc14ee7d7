"""The transport layer: what shippers, terminals and viewers do to characters and lines, undone."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterable
from itertools import pairwise, product
from typing import Any

from functions.core.notify.counts import counted
from functions.detect_errors.grammar import BARE_HEADER, HEADER, exception_line
from functions.detect_errors.groups import GROUP
from functions.detect_errors.literals import unescape
from functions.detect_errors.platform_lines import LEFT_OUT

Line = tuple[int, str]
"""A line, and the number of the line of the log text that it came from."""

_CSV_END = re.compile(r'"(?=[ \t]*+(?:[,;]|$))')

# Kubernetes' CRI log format: a line that was cut into parts has P on all but the last one.
_CRI = re.compile(r"(\d[\d:.,/+TZ-]*+ (?:stdout|stderr)) ([PF])(?::\S*+)? ?(.*)")
# A wrapped line's width: terminals and log viewers, not prose.
_WRAP_WIDTHS = range(60, 513)
_SHAPE = str.maketrans("123456789", "000000000")
# More distinct prefixes than this in one text are not told apart, and said to be left out.
_MAX_SOURCES = 256
_PROBE_LINES = 12
_MAX_PREFIX = 512
_RULE_WIDTH = 40
# A run of these may be a time, and is one if it looks like one. Runs are taken whole, so that a prefix's
# pattern has one way to match.
_RUN = r"\d(?:[\d:.,/+-]|[TZ](?![a-z]))*+"
_TIME = re.compile(r"\d:\d|\d{4}[-/]\d\d[-/]\d\d|\d{10,19}(?:\.\d++)?[,:]?$")
_CLOCK = re.compile(r"\d++\.\d{3,9}$")
# Where Rich's handler says which line logged.
_MARGIN = re.compile(r" {2,}[\w./\\-]+:\d{1,9}")
_BOX = re.compile(r"[\u250c\u256d]\u2500+ Traceback")
# grep -n
_NUMBERED = re.compile(r"\d++[:-]$")
_COUNTER = re.compile(r" *+\d++[:\t|)>.]")


def line_by_line(row: dict[str, Any]) -> Callable[[list[Line]], list[Line]]:
    """A layer that formats.toml describes by patterns alone; what they put into a line may hold line ends."""
    substitutes = [(re.compile(pattern), replacement) for pattern, replacement in row["substitute"]]
    drop, literal = re.compile(row.get("drop", "(?!)")), row.get("unescape", False)

    def rewrite(lines: list[Line]) -> list[Line]:
        out: list[Line] = []
        for number, line in lines:
            if drop.match(line):
                continue
            before = line
            for pattern, replacement in substitutes:
                line = pattern.sub(replacement, line)
            if literal and line != before:
                line = unescape(line).removesuffix("\n")
            out += [(number, part) for part in line.split("\n")]
        return out

    return rewrite


def csv(lines: list[Line]) -> list[Line]:
    """CSV doubles quotes, and puts one before and behind a field, which is a record of its own."""
    out: list[Line] = []
    for number, line in lines:
        line = line.replace('""', "\0")
        opens = re.search(r'(?:^|[,;])"', line)
        parts = [line[: opens.start()], line[opens.end() :]] if opens else [line]
        parts[-1] = _CSV_END.sub("", parts[-1], count=1)
        out += [(number, part.replace("\0", '"')) for part in parts if part or not opens]
    return out


def container_runtime(lines: list[Line]) -> list[Line]:
    """Joins the parts of each stream's partial lines; the prefix stays, for the layer of prefixes."""
    out: list[Line] = []
    partial: dict[str, int] = {}
    for number, line in lines:
        match = _CRI.match(line)
        if match is None:
            out.append((number, line))
            continue
        stream = match[1].rpartition(" ")[2]
        if (index := partial.pop(stream, None)) is not None:
            out[index] = (out[index][0], out[index][1] + match[3])
        else:
            index = len(out)
            out.append((number, f"{match[1]} F {match[3]}"))
        if match[2] == "P":
            partial[stream] = index
    return out


def airy(lines: list[Line]) -> list[Line]:
    """An empty line after each line."""
    return lines[::2] if len(lines) > 5 and not any(line.strip() for _, line in lines[1::2]) else lines


def unwrap(lines: list[Line]) -> list[Line]:
    """Rejoin lines that a terminal broke at a fixed width, if something gives the width away."""
    width = max((len(line) for _, line in lines), default=0)
    if width not in _WRAP_WIDTHS:
        return lines
    breaks = [(line, after) for (_, line), (_, after) in pairwise(lines) if len(line) == width]
    in_file_name = any(
        'File "' in line and '", line ' not in line and '", line ' in line + after for line, after in breaks
    )
    if not (in_file_name or (breaks and _breaks_at_prefix(lines, breaks, width))):
        return lines
    joined: list[Line] = []
    full = False
    for number, line in lines:
        if full:
            joined[-1] = (joined[-1][0], joined[-1][1] + line)
        else:
            joined.append((number, line))
        full = len(line) == width
    return joined


def _breaks_at_prefix(lines: list[Line], breaks: list[tuple[str, str]], width: int) -> bool:
    """Whether exactly the lines behind those of full width lack the prefix that the header's line has."""
    header = next((line for _, line in lines if HEADER in line and line.rstrip().endswith(HEADER)), "")
    prefix = header[: header.find(HEADER)]
    if not prefix.strip(" |+") or len(prefix) > _MAX_PREFIX:
        return False
    if any(_alike(prefix, after) for _, after in breaks) or not any(after for _, after in breaks):
        return False
    matcher = re.compile(prefix_pattern(prefix))
    return all(
        (len(line) == width) is (matcher.match(after) is None)
        for (_, line), (_, after) in pairwise(lines)
        if after
    )


def _alike(prefix: str, line: str) -> bool:
    """Whether a line may start with a prefix: its first characters do, whatever their digits are."""
    return line[:8].translate(_SHAPE) == prefix[:8].translate(_SHAPE)


def suffixes(lines: list[Line]) -> list[Line]:
    """Takes off what stands behind a header and the lines that follow it, or beside it in a right margin."""
    ends: dict[str, None] = {}
    for (_, line), (_, after) in pairwise(lines):
        end = line.rpartition(HEADER)[2].rstrip() if HEADER in line and len(ends) < _MAX_SOURCES else ""
        if _MARGIN.fullmatch(end) or (end and HEADER not in after and after.endswith(end)):
            ends[end] = None
    return (
        [(number, line.removesuffix(_last(line, ends)).rstrip()) for number, line in lines] if ends else lines
    )


def _last(line: str, ends: Iterable[str]) -> str:
    return next((end for end in ends if line.endswith(end)), "")


def sources(lines: list[Line]) -> list[list[Line]]:
    """Take off what stands in front of every line of a source, and give each source its own list."""
    matchers: dict[str, re.Pattern[str]] = {}
    left_out: set[str] = set()
    headers = [index for index, (_, line) in enumerate(lines) if BARE_HEADER in line]
    frames = [index for index, (_, line) in enumerate(lines) if "File " in line]
    # Groups first: the gutters of their sub-exceptions must not be taken for a source's prefix.
    for header, index in product((f"  + {GROUP}", f"+ {GROUP}", HEADER, BARE_HEADER), headers):
        line = lines[index][1]
        end = _prefix_end(lines, index, header) if header in line else 0
        if not (0 < end <= _MAX_PREFIX and (line[:end].strip(" |\t") or header is BARE_HEADER)):
            continue
        if any(_is_gutter(line, end, known) for known in matchers.values()):
            continue
        pattern = prefix_pattern(line[:end])
        matcher = re.compile(pattern)
        # Others may have written between a source's header and its first frame.
        first = bisect(frames, index)
        following = [
            *range(index + 1, min(index + _PROBE_LINES, len(lines))),
            *frames[first : first + 2 * _MAX_SOURCES],
        ]
        # A subscription filter may have let a record pass behind it, and not its stack.
        inside = line.startswith("  ") or exception_line(line[:end] + "x") is not None
        record = [] if inside else lines[index + 1 : index + 2]
        if (
            header is BARE_HEADER
            or (record and record[0][1].strip() and matcher.match(record[0][1]))
            or any(
                (match := matcher.match(lines[at][1])) and _continues(lines[at][1][match.end() :])
                for at in following
            )
        ):
            if len(matchers) < _MAX_SOURCES:
                matchers[pattern] = matcher
            else:
                left_out.add(pattern)
    if not matchers:
        return [lines]
    order = [matchers[key] for key in sorted(matchers, key=len, reverse=True)]
    streams: list[list[Line]] = [[] for _ in range(len(order) + 1)]
    for number, line in lines:
        for stream, matcher in zip(streams, order, strict=False):
            if match := matcher.match(line):
                stream.append((number, line[match.end() :]))
                break
        else:
            streams[-1].append((number, line))
    if left_out:
        streams.append(
            [(lines[-1][0], f"{LEFT_OUT}the errors of {counted(len(left_out), 'more source')} of a text")]
        )
    return [stream for stream in streams if any(line for _, line in stream)]


def _prefix_end(lines: list[Line], index: int, header: str) -> int:
    """Where the prefix of a header's line ends; 0 if it is only mentioned there."""
    line = lines[index][1]
    if header is not BARE_HEADER:
        position = line.find(header)
        return 0 if line[position + len(header) :].strip(" |") else position
    if (box := _BOX.search(line)) is not None:  # Rich
        return box.start()
    # IPython names the exception before the header, so the rule above it tells.
    rule = lines[index - 1][1].rstrip() if index and line.rstrip().endswith(header) else ""
    end = len(rule.rstrip("-"))
    return end if len(rule) - end >= _RULE_WIDTH and re.match(prefix_pattern(rule[:end]), line) else 0


def _is_gutter(line: str, position: int, known: re.Pattern[str]) -> bool:
    """Whether nothing, or nothing but a group's gutters, stands between a known prefix and the header."""
    match = known.match(line)
    return match is not None and not line[match.end() : position].strip(" |+")


def prefix_pattern(prefix: str) -> str:
    """A pattern for the same prefix on another line: times, dates and counters may differ, all else may not.

    Linear: a run is possessive, and what follows it cannot start with one of its characters.
    """
    core = prefix.rstrip(" \t")
    parts, end = [], 0
    for match in re.finditer(_RUN, core):
        start, run = match.span()[0], match[0]
        first = core[:start].strip(" ") == "" and _COUNTER.match(core[match.start() :] + ":")
        clock = core[:start].rstrip(" ").endswith("[") and _CLOCK.match(run)
        numbered = match.end() == len(core) and _NUMBERED.match(run)
        if _TIME.search(run) or first or clock or numbered:
            blanks = len(core[end:start]) - len(core[end:start].rstrip(" ")) if clock or first else 0
            parts += [re.escape(core[end : start - blanks]), " *+" * bool(clock or first), _RUN]
            end = match.end()
    parts.append(re.escape(core[end:]))
    # Shippers drop trailing blanks, so an empty line may end with the prefix's last visible character.
    return "".join(parts) + f"(?:{re.escape(prefix[len(core) :])}|[ \\t]*+$)"


def _continues(rest: str) -> bool:
    return rest.lstrip(" |>").startswith(("File ", "Cell In[", "Exception Group Trace"))
