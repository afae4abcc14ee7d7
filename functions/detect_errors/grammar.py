"""The pieces of a printed traceback: header, frames, exception line, message, chain sentences.

Rules follow CPython's `traceback` module (`StackSummary.format`, `TracebackException.format`) and the C
printer (`Python/traceback.c`, `Python/pythonrun.c`), 2.7 to 3.14. Texts are canonical here: prefixes, colours
and carriage returns are gone (see prefixes.py), so a header stands in column 0, every line of the stack is
indented by at least two spaces and the exception line starts in column 0.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from functions.core.incidents.incident import Frame
from functions.detect_errors.formats import FORMATS, pattern
from functions.detect_errors.in_app import AppRules

HEADER = "Traceback (most recent call last):"
BARE_HEADER = HEADER[:-1]
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
# Narrow terminals break the sentences.
_BROKEN = (sentence.replace(" ", r"[ \n]{1,2}") for sentence in (CAUSE, CONTEXT))
SEPARATOR = re.compile(r"^(?:({})|{})[ \t]*$".format(*_BROKEN), re.MULTILINE)

# Every line of a stack, up to the first that is not indented by two spaces. Nothing follows the repetition,
# so it never backtracks.
STACK = re.compile(r"[ \t]*(?:\n|\Z)((?:  [^\n]*(?:\n|\Z))*)")
STACK_LINES = re.compile(r"(?:  [^\n]*(?:\n|\Z))+")

# One frame and its first source line. The file name may hold quotes, so the last `", line N` of the line
# counts. A SyntaxError's own location has no function; Lambda prints it as `File "x" Line N`.
FRAME = re.compile(
    r'^  File "(.*)"(?:, line | Line )(\d{1,9})(?:, in (.*))?$(?:\n {4,}([^\n]*))?', re.MULTILINE
)

RECORD_SEPARATOR = "\x04"
"""A line that layers put where what follows is another record, whatever it looks like."""

RECORD_START = pattern("record_start")

LEVELS = frozenset(FORMATS["words"]["levels"].split())

MAX_MESSAGE_LINES = 400
MAX_REMEMBERED_STACKS = 512
# What is remembered is bounded in characters, too.
MAX_REMEMBERED_LENGTH = 20_000


class Stack(tuple[Frame, ...]):
    """The frames of a stack that may come again; `site`: what a fingerprint made of them."""

    site: Any = None


class FrameReader:
    """Reads the lines of a stack into frames, each judged by the app's rules.

    In an error storm the stack's text repeats exactly, so what it gives is remembered, unless it is long.
    """

    def __init__(self, rules: AppRules) -> None:
        self._verdict = rules.verdict
        self._remembered = lru_cache(MAX_REMEMBERED_STACKS)(lambda stack: Stack(self._read(stack)))

    def __call__(self, stack: str) -> tuple[Frame, ...]:
        return self._remembered(stack) if len(stack) <= MAX_REMEMBERED_LENGTH else self._read(stack)

    def _read(self, stack: str) -> tuple[Frame, ...]:
        return tuple(
            Frame(file, int(line), function or None, code.rstrip(), judged.in_app, judged.why)
            for file, line, function, code in FRAME.findall(stack)
            for judged in (self._verdict(file, function),)
        )


def exception_line(line: str) -> tuple[str, str] | None:
    """Split `Type: message` or `Type` into (type, message); None when the line cannot be one.

    A line that starts a log record is none, though `INFO: ...` looks like one. The type is a dotted name. Its
    last part is an identifier; the parts before it may be a script's module name (`my-handler.Boom`) or
    `<locals>`.
    """
    name, colon, message = line.partition(": ")
    if not colon:
        name = line.rstrip()
        if name.endswith(":"):
            name = name[:-1]
    if name.endswith(")") and name.isascii():  # Ray names the wrapped type: RayTaskError(KeyError)
        plain, _, wrapped = name[:-1].partition("(")
        if not wrapped.isidentifier():
            return None
    else:
        plain = name
    if plain.isidentifier():
        return None if name in LEVELS else (name, message)
    if len(plain) > 300 or not plain or plain[0].isdigit() or not plain.rpartition(".")[2].isidentifier():
        return None
    for part in plain.split("."):
        if not part.replace("-", "_").isidentifier() and not (
            part[:1] == "<" and part[-1:] == ">" and " " not in part
        ):
            return None
    return name, message


_TELLING = tuple(FORMATS["words"]["telling"].split())


def telling_type(name: str) -> bool:
    """Whether a type's name alone shows that the line is an exception line, not prose or a log line."""
    last = name.rpartition(".")[2]
    return last.endswith(_TELLING) or ("." in name and last[:1].isupper())


_ANNOUNCES, _KEYED = pattern("announces"), pattern("keyed")
_INDENTED = ("  ", "\t")
_CLOSES = {"[": "]", "(": ")", "{": "}"}
_RULED = re.compile(r"[-=]{20,}$")
_CLOSING = re.compile(r"[\])}>]+$")


def message_end(text: str, end: int, *, alone: bool = False) -> int:
    """Offset where the message ends whose first line ends at `end`.

    Whatever was printed next may follow, so a further line belongs to the message only where something says
    so: it is indented, a line before announces it, or a library is known to write it. alone: the text holds
    this one traceback and nothing else, so only a chain sentence can end the message.
    """
    if end + 1 >= len(text):
        return end
    if alone:
        separator = SEPARATOR.search(text, end)
        return separator.start() if separator else len(text)
    first, message = end, None
    for _ in range(MAX_MESSAGE_LINES):
        if end >= len(text):
            break
        start, stop = end + 1, line_end(text, end + 1)
        line = text[start:stop]
        if not line.strip():
            following = text[stop + 1 : line_end(text, stop + 1)]
            # Spark's JVM prints its own stack below what the worker wrote, which is no part of it.
            if (end == first and following.startswith("\tat ")) or not (
                following.startswith(_INDENTED) or _KEYED.match(following)
            ):
                break
        else:
            message = message or _Message(text[text.rfind("\n", 0, first) + 1 : first])
            if not message.takes(line, text[stop + 1 : stop + 3]):
                break
        end = stop
    return end


def line_end(text: str, start: int) -> int:
    """Where the line ends that `start` lies in."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end


class _Message:
    """What the lines of a message so far say about the next one."""

    def __init__(self, first: str) -> None:
        self.last = first
        self.listing = bool(_ANNOUNCES.search(first.rstrip()[-400:]))
        self.open = ""
        self.depth, self.uncounted = 0, [first]
        self.quoting = False

    def takes(self, line: str, behind: str) -> bool:
        """Whether the line goes on with the message; behind: how the line after it starts."""
        if not self._belongs(line, behind):
            return False
        if self.open and line.rstrip().endswith(self.open):
            self.open = ""
        elif not self.open and line[:1] in _CLOSES and not line.rstrip().endswith(_CLOSES[line[0]]):
            self.open = _CLOSES[line[0]]
        self.quoting = (
            HEADER in line or (self.quoting and line.startswith("  ")) or line.startswith('  File "')
        )
        self.uncounted.append(line)
        self.last = self.last if _RULED.match(line) else line
        return True

    def _belongs(self, line: str, behind: str) -> bool:
        if line.startswith(_INDENTED) or self.open:
            return True
        announced = bool(_ANNOUNCES.search(self.last.rstrip()[-400:])) and " " in self.last
        if line.startswith(HEADER):
            return announced and "Traceback" not in self.last
        if RECORD_START.match(line):
            return announced and _RULED.match(line) is not None
        if self.quoting and (named := exception_line(line)) is not None and telling_type(named[0]):
            return True
        if _CLOSING.match(line):
            self.depth, self.uncounted = self.depth + sum(map(_depth, self.uncounted)), []
            return self.depth > 0
        listing = self.listing or (self.last.startswith("  ") and not _ANNOUNCES.search(line.rstrip()))
        return announced or bool(_KEYED.match(line)) or (listing and behind.startswith("  "))


def _depth(line: str) -> int:
    """How many brackets a line opens and does not close."""
    return sum(line.count(opening) - line.count(closing) for opening, closing in ("()", "[]", "{}", "<>"))
