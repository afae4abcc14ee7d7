"""What the platform or a server says without a traceback: time-outs, kills, exits, and plain ERROR lines."""

from __future__ import annotations

import re
from itertools import islice

from functions.detect_errors.grammar import HEADER, MAX_MESSAGE_LINES, RECORD_START, exception_line
from functions.detect_errors.model import Found, Raised

_MAX_ERROR_LINES = 50
_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# Each rule: a substring that must be there (cheap), and the line's pattern. Sources: Lambda's troubleshooting
# guide, the kernel's OOM killer, Kubernetes and ECS stop reasons, gunicorn, Celery and uWSGI.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (needle, re.compile(pattern, re.MULTILINE))
    for needle, pattern in (
        (
            "Task timed out",
            rf"^(?:\S+Z )?(?:RequestId: )?(?:{_ID} )?(?:Error: )?(Task timed out after [\d.]+ seconds)",
        ),
        (
            "Runtime exited",
            rf"^(?:RequestId: {_ID} )?(?:Error: )?"
            r"(Runtime exited (?:with error: [^\n]{1,80}|without providing a reason))",
        ),
        ("Process exited before", rf"^(?:RequestId: {_ID} )?(Process exited before completing request)"),
        (
            "ut of memory",
            r"^.{0,120}?((?:Memory cgroup o|O)ut of memory: Kill(?:ed)? process \d+[^\n]{0,80})",
        ),
        ("OOMKilled", r"^.{0,120}?(OOMKilled\b[^\n]{0,80})"),
        ("Killed", r"^(Killed)\s*$"),
        ("OutOfMemoryError", r"^.{0,80}?(OutOfMemoryError: Container killed due to memory usage)"),
        (
            "Perhaps out of memory",
            r"^.{0,120}?(Worker \(pid:\d+\) was sent SIGKILL! Perhaps out of memory\?)",
        ),
        ("WORKER TIMEOUT", r"^.{0,120}?(WORKER TIMEOUT \(pid:\d+\))"),
        ("time limit", r"^.{0,160}?(Hard time limit \([\d.]+s\) exceeded)"),
        ("Fatal Python error", r"^(Fatal Python error: [^\n]{1,200})"),
        ("HARAKIRI", r"^.{0,120}?(HARAKIRI(?: !!!| \[core \d+\]| ON WORKER)[^\n]{0,80})"),
    )
)
_REPORT = re.compile(
    rf"^(?:REPORT RequestId: {_ID}|INIT_REPORT )[^\n]*?\tStatus: "
    r"(timeout|error\tError Type: Runtime\.(?:ExitError|OutOfMemory))",
    re.MULTILINE,
)
_LAMBDA_ERROR = re.compile(r"^\[ERROR\] (?=\S)", re.MULTILINE)
_ERROR_LINE = re.compile(
    r"^.{0,120}?(?:\b(?:ERROR|CRITICAL|FATAL)\b|\[(?:error|critical) *\]|\blevel=(?:error|critical|fatal)\b)",
    re.MULTILINE,
)


def read_platform(text: str) -> list[Found]:
    """The platform's lines in a canonical text, in order."""
    found = [
        Found(Raised(None, ""), match.start(1), "ERROR", True, match[1].strip())
        for needle, pattern in _RULES
        if needle in text
        for match in pattern.finditer(text)
    ]
    if not found and "\tStatus: " in text:
        found = [
            Found(Raised(None, ""), match.start(), "ERROR", True, _reported(match[1]))
            for match in _REPORT.finditer(text)
        ]
    return sorted(found, key=lambda one: one.at)


def _reported(status: str) -> str:
    if status == "timeout":
        return "Task timed out"
    return "Runtime exited with error: " + status.rpartition(" ")[2]


def read_heads(text: str) -> list[Found]:
    """`[ERROR] Type: message` of Lambda's runtime without a header behind it: the rest is in other events."""
    if "[ERROR] " not in text:
        return []
    found = []
    header = text.find(HEADER)
    for match in _LAMBDA_ERROR.finditer(text):
        end = text.find("\n", match.end())
        end = len(text) if end < 0 else end
        if 0 <= header < end:
            header = text.find(HEADER, end)
        named = exception_line(text[match.end() : end].rstrip())
        if named is None:
            continue
        message, position = [named[1]], end
        while position < len(text) and len(message) <= MAX_MESSAGE_LINES:
            line_end = text.find("\n", position + 1)
            line_end = len(text) if line_end < 0 else line_end
            line = text[position + 1 : line_end]
            if RECORD_START.match(line):
                break
            message.append(line)
            position = line_end
        if position + 1 != header:  # else the traceback itself is there, and read as such
            found.append(Found(Raised(named[0], "\n".join(message).rstrip()), match.start(), "ERROR", False))
    return found


def read_error_lines(text: str) -> list[Found]:
    """The first lines at level ERROR or above. The caller asks only when the text holds nothing better."""
    found = []
    for match in islice(_ERROR_LINE.finditer(text), _MAX_ERROR_LINES):
        end = text.find("\n", match.start())
        line = text[match.start() : len(text) if end < 0 else end]
        found.append(Found(Raised(None, ""), match.start(), "ERROR", True, line.strip()[:1000]))
    return found
