"""The pieces of a printed traceback: header, frames, exception line, message, chain sentences.

Rules follow CPython's `traceback` module (`StackSummary.format`, `TracebackException.format`) and the C
printer (`Python/traceback.c`, `Python/pythonrun.c`), 2.7 to 3.14. Texts are canonical here: prefixes, colours
and carriage returns are gone (see prefixes.py), so a header stands in column 0, every line of the stack is
indented by at least two spaces and the exception line starts in column 0.
"""

from __future__ import annotations

import re

from functions.core.incidents.incident import Frame
from functions.detect_errors.in_app import AppRules

HEADER = "Traceback (most recent call last):"
BARE_HEADER = HEADER[:-1]
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
SEPARATOR = re.compile(f"^(?:({CAUSE})|{CONTEXT})[ \\t]*$", re.MULTILINE)

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

# A line that starts something new, so it cannot belong to the message above it.
RECORD_START = re.compile(
    r"\x04|Traceback \(most recent|The above exception was the direct|During handling of the above exc"
    r"|  \+ Exception Group Traceback|Exception in thread |Exception ignored in|Task exception was never"
    r"|(?:\[)?(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)(?:[\]:\s]|\Z)"
    r"|\[?\d{4}[-/]\d\d[-/]\d\d[T\s,]|\[?\d\d:\d\d:\d\d[.,\s\]]|\[\d{4}-\d\d-\d\d "
    r"|(?:START|END|REPORT|XRAY) (?:RequestId|TraceId): |INIT_START |INIT_REPORT |RequestId: [0-9a-f-]{36} "
    r'|>>> |In \[\d+\]:|\{"|"""|\'\'\'|={20}|-{20}|Logged from file '
    r"|Call stack:$|Stack \(most recent call last\):"
)

LEVELS = frozenset(("DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL"))

MAX_MESSAGE_LINES = 400
MAX_REMEMBERED_STACKS = 512
# Longer stacks are read, but not remembered: the cache's size is bounded in characters, too.
MAX_REMEMBERED_LENGTH = 20_000


class FrameReader:
    """Reads the lines of a stack into frames, each judged by the app's rules.

    In an error storm the stack's text repeats exactly, so the result is remembered by that text; from its
    second appearance on, because remembering what never comes again costs more than it saves.
    """

    def __init__(self, rules: AppRules) -> None:
        self.rules = rules
        self._known: dict[str, tuple[Frame, ...]] = {}
        self._ids: set[int] = set()
        self._seen: set[int] = set()

    def known(self, stack: str) -> tuple[Frame, ...] | None:
        """The frames of a stack that was read before."""
        return self._known.get(stack)

    def __call__(self, stack: str) -> tuple[Frame, ...]:
        frames = self._known.get(stack)
        if frames is None:
            verdict, remembered = self.rules.verdict, self.rules.remembered.get
            read = []
            for file, line, function, code in FRAME.findall(stack):
                judged = ("." not in function and remembered(file)) or verdict(file, function)
                read.append(
                    Frame(file, int(line), function or None, code.rstrip(), judged.in_app, judged.why)
                )
            frames = tuple(read)
            if len(stack) <= MAX_REMEMBERED_LENGTH:
                self._remember(stack, frames)
        return frames

    def remembers(self, frames: tuple[Frame, ...]) -> bool:
        """Whether these very frames will come again, so that more can be remembered about them."""
        return id(frames) in self._ids

    def _remember(self, stack: str, frames: tuple[Frame, ...]) -> None:
        key = hash(stack)
        if key not in self._seen:
            if len(self._seen) >= 8 * MAX_REMEMBERED_STACKS:
                self._seen.clear()
            self._seen.add(key)
            return
        if len(self._known) >= MAX_REMEMBERED_STACKS:
            self._known.clear()
            self._ids.clear()
        self._known[stack] = frames
        self._ids.add(id(frames))


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


_TELLING = (
    "Error",
    "Exception",
    "Warning",
    "Exit",
    "Interrupt",
    "Group",
    "Fault",
    "Failure",
    "Timeout",
    "Iteration",
)


def telling_type(name: str) -> bool:
    """Whether a type's name alone shows that the line is an exception line, not prose or a log line."""
    last = name.rpartition(".")[2]
    return last.endswith(_TELLING) or ("." in name and last[:1].isupper())


# What a line says that goes on in the next one, though that is not indented: an opened bracket, a list or a
# colon, pydantic's count of errors, Spark's words before the worker's own traceback.
_ANNOUNCES = re.compile(r"[:,({\[\\]$|\d errors?\b|\d validation errors? for |(?:trace|traceback) below\.?$")
# Lines that libraries put below the first line of a message. Sources: libpq's error fields, SQLAlchemy's
# StatementError, Kubernetes' ApiException, httpx, slack_sdk, Playwright, py4j and the JVM, PyTorch.
_KEYED = re.compile(
    r"(?:DETAIL|HINT|LINE \d{1,9}|CONTEXT|QUERY|WHERE|STATEMENT|Reason|Details|Call log|HTTP response \w{1,9}"
    r"|Caused by|The server responded with|Driver stacktrace|For more information[^:\n]{0,40}): ?"
    r"|: \S|\(Background on this|DB::|Original Traceback \(most recent call last\):"
    r"|\[(?:SQL|parameters|cached|generated)\b"
)
_INDENTED = ("  ", "\t")
_CLOSES = {"[": "]", "(": ")", "{": "}"}
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
        start, line_end = end + 1, _line_end(text, end + 1)
        line = text[start:line_end]
        if not line.strip():
            following = text[line_end + 1 : _line_end(text, line_end + 1)]
            # Spark's JVM prints its own stack below what the worker wrote, which is no part of it.
            if (end == first and following.startswith("\tat ")) or not (
                following.startswith(_INDENTED)
                or (following[:1] in ("[", "(", "D") and _KEYED.match(following))
            ):
                break
        else:
            message = message or _Message(text[text.rfind("\n", 0, first) + 1 : first])
            if not message.takes(line, text[line_end + 1 : line_end + 3]):
                break
        end = line_end
    return end


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


class _Message:
    """What the lines of a message so far say about the next one."""

    def __init__(self, first: str) -> None:
        self.last = first
        self.listing = bool(_ANNOUNCES.search(first.rstrip()[-400:]))
        self.open = ""
        self.depth = _depth(first)
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
        self.depth += _depth(line)
        self.last = line
        return True

    def _belongs(self, line: str, behind: str) -> bool:
        if line.startswith(_INDENTED) or self.open:
            return True
        announced = bool(_ANNOUNCES.search(self.last.rstrip()[-400:])) and " " in self.last
        if line.startswith(HEADER):
            return announced and "Traceback" not in self.last
        if RECORD_START.match(line):
            return False
        if self.quoting and (named := exception_line(line)) is not None and telling_type(named[0]):
            return True
        if _CLOSING.match(line):
            return self.depth > 0
        return announced or bool(_KEYED.match(line)) or (self.listing and behind.startswith("  "))


def _depth(line: str) -> int:
    """How many brackets a line opens and does not close."""
    return sum(line.count(opening) - line.count(closing) for opening, closing in ("()", "[]", "{}", "<>"))
