"""What the reader of log text finds. Plain frozen values: no AWS, no I/O.

Named tuples, because a storm makes thousands a second: a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from typing import NamedTuple

from functions.core.incidents.incident import ErrorClass, Frame


class PrintedException(NamedTuple):
    """One exception as printed.

    type: as printed (qualified or not), None when the text was cut before it; message: all lines, "" when
    none was printed; relation: what this exception is to the one that propagated, "cause", "context" or
    "quoted" (its traceback stands in the other's message), "" for the one that propagated; chain: the
    exceptions that led to it, oldest first; members: the sub-exceptions of a group.
    """

    type: str | None
    message: str
    frames: tuple[Frame, ...] = ()
    relation: str = ""
    chain: tuple[PrintedException, ...] = ()
    members: tuple[PrintedException, ...] = ()


class Found(NamedTuple):
    """One error as the grammar found it, before it is judged.

    at, end: offsets of its first character and behind its last one in the text that was scanned; level: the
    log level it was recorded at, "" when unknown; whole: False when the text ended (or was cut) inside it;
    platform: for what the platform reports without an exception, the line that said so (then end is 0).
    """

    raised: PrintedException
    at: int = 0
    level: str = ""
    whole: bool = True
    platform: str = ""
    end: int = 0


class Component(NamedTuple):
    """One part of a fingerprint: what it is, its value, and why it counts."""

    name: str
    value: str
    why: str


class ParsedError(NamedTuple):
    """One error: what was raised, what it means, and its identity.

    type and message are None for what the platform reports without an exception (a time-out, a killed
    process); `title` always says something. frames: those of the exception that propagated, innermost last.
    chain: the exceptions that led to it, oldest first. members: a group's sub-exceptions. needs_more: the
    text ended before the error did. line: the line of the text that it starts in, from 0. event, event_id,
    timestamp: the log event that it starts in, where a batch was read (index, id, milliseconds since 1970).
    """

    type: str | None
    message: str | None
    frames: tuple[Frame, ...]
    chain: tuple[PrintedException, ...]
    members: tuple[PrintedException, ...]
    error_class: ErrorClass
    reason: str
    next_action: str
    fingerprint: str
    title: str
    level: str = ""
    needs_more: bool = False
    line: int = 0
    event: int = 0
    event_id: str = ""
    timestamp: int = 0


def is_environment(frame: Frame) -> bool:
    """Whether a frame is that of `os.environ`, which raises KeyError for a variable that is not set."""
    return frame.function == "__getitem__" and frame.file.endswith(
        ("<frozen os>", "/os.py", "\\os.py", "/UserDict.py")
    )
