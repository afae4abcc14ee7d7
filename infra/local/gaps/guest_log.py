"""The log of an execution environment: what is printed there line by line, and what its runtime frames.

The frames are those of awslambdaric's `FramedTelemetryLogSink`: an event that may have several lines.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

_FRAME = b"\xa5\x5a\x00"
"""Begins a frame, and nothing that is UTF-8. A byte of its kind follows, four of its size, eight of the time,
and the message."""
_MOST = 1024 * 1024
"""Bytes without an end, after which an event is cut."""
_END = 0
"""Kind of the empty frame up to which the log is read."""


class GuestLog:
    """What an environment prints and logs: a pipe, read all the time, so that nobody waits to write."""

    def __init__(self) -> None:
        readable, self.writable = os.pipe()
        self._events: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(os.fdopen(readable, "rb", 0),), daemon=True).start()

    def _read(self, stream: BinaryIO) -> None:
        with stream:
            for kind, message in log_events(lambda: stream.read(65_536)):
                self._events.put(message.decode(errors="replace") if kind != _END else None)

    def until_now(self) -> list[str]:
        """The events of all that was written since the last call."""
        os.write(self.writable, b"".join((_FRAME, bytes([_END]), bytes(12))))
        events: list[str] = []
        with contextlib.suppress(queue.Empty):  # Somebody inside has begun a frame that does not end.
            while (event := self._events.get(timeout=5)) is not None:
                events.append(event)
        return events

    def close(self) -> None:
        os.close(self.writable)


def log_events(read: Callable[[], bytes]) -> Iterator[tuple[int, bytes]]:
    """(kind, message) of the frames and, with kind 1, of the lines between them that are not empty."""
    held = b""
    while chunk := read():
        held += chunk
        while True:
            text, frame, rest = held.partition(_FRAME)
            *lines, held = text.split(b"\n")
            yield from ((1, line) for line in lines if line)
            size = int.from_bytes(rest[1:5])
            if not frame or len(rest) < 13 + size:
                held += frame + rest
                if len(held) > _MOST:
                    yield 1, held
                    held = b""
                break
            if held:  # Printed before the frame, without an end of line.
                yield 1, held
            yield rest[0], rest[13 : 13 + size].removesuffix(b"\n")
            held = rest[13 + size :]
    if held:
        yield 1, held
