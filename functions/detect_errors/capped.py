"""What is kept of a stack: enough to read it and find the source, redacted, never more than an item holds.

A DynamoDB item holds 400 KB, which a stranger who can make a program recurse, or write to its log, could
fill.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from functions.core.incidents.incident import Frame

# Characters of UTF-8 take at most 4 bytes: 60 frames and 40 causes of 750 characters are below 300 KB.
_FIRST, _LAST, _LAST_OWN = 10, 40, 10
_FILE, _FUNCTION, _CODE = 300, 150, 300


def kept(frames: Sequence[Frame], redact: Callable[[str], str]) -> tuple[Frame, ...]:
    """The outermost and innermost frames and the innermost of the app's own, in order, redacted and cut."""
    own = [index for index, frame in enumerate(frames) if frame.in_app]
    chosen = {*range(_FIRST), *range(len(frames) - _LAST, len(frames)), *own[-_LAST_OWN:]}
    return tuple(_cut(frame, redact) for index, frame in enumerate(frames) if index in chosen)


def _cut(frame: Frame, redact: Callable[[str], str]) -> Frame:
    """Cut behind what redaction needs to recognise a secret, then redacted, then cut."""
    return replace(
        frame,
        file=redact(frame.file[: 4 * _FILE])[:_FILE],
        function=None if frame.function is None else redact(frame.function[: 4 * _FUNCTION])[:_FUNCTION],
        code=redact(frame.code[: 4 * _CODE])[:_CODE],
    )
