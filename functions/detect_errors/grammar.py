"""The pieces of a printed traceback: header, frames, exception line, message, chain sentences.

Rules follow CPython's `traceback` module (`StackSummary.format`, `TracebackException.format`) and the C
printer (`Python/traceback.c`, `Python/pythonrun.c`), 2.7 to 3.14. Texts are canonical here: prefixes, colours
and carriage returns are gone (see prefixes.py), so a header stands in column 0, every line of the stack is
indented by at least two spaces and the exception line starts in column 0.
"""

from __future__ import annotations

import re

from functions.core.incident import Frame
from functions.detect_errors.in_app import AppRules

HEADER = "Traceback (most recent call last):"
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

# A line that starts something new, so it cannot belong to the message above it.
RECORD_START = re.compile(
    r"Traceback \(most recent|The above exception was the direct|During handling of the above exc"
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


def message_end(text: str, end: int, *, alone: bool = False) -> int:
    """Offset where the message ends whose first line ends at `end`.

    alone: the text holds this one traceback and nothing else, so only a chain sentence can end the message.
    """
    length = len(text)
    if alone:
        separator = SEPARATOR.search(text, end)
        return separator.start() if separator else length
    line_start = text.rfind("\n", 0, end) + 1
    for _ in range(MAX_MESSAGE_LINES):
        if end >= length:
            break
        # A message that ends in a colon announces what follows: a quoted traceback belongs to it.
        last = text[line_start:end]
        quotes = last[-1:] == ":" and " " in last and "Traceback" not in last
        line_start, line_end = end + 1, text.find("\n", end + 1)
        if line_end < 0:
            line_end = length
        line = text[line_start:line_end]
        if not line.strip():
            # Messages may hold empty lines, but so do logs: only an indented line continues after one.
            if text[line_end + 1 : line_end + 2] not in (" ", "\t"):
                break
        elif RECORD_START.match(line) and not (quotes and line.startswith(HEADER)):
            break
        end = line_end
    return end
