"""How a worker reports: JSON lines, the first of them before any code under test ran."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any

READY = b'{"ready": true}\n'
"""The first line: the worker is set up and starts the code under test."""

_MESSAGE_LIMIT = 500
_FRAME_LIMIT = 60


def write_line(fd: int, line: dict[str, Any]) -> None:
    """Write one JSON line, all of it."""
    data = json.dumps(line).encode() + b"\n"
    while data:
        data = data[os.write(fd, data) :]


def describe(error: BaseException, root: str) -> dict[str, Any]:
    """`{"type", "message", "frames": [[file, line, function]]}`; files inside `root` become relative."""
    kind = type(error)
    try:
        message = str(error)[:_MESSAGE_LIMIT]
    except Exception as broken:  # noqa: BLE001 - a stranger's __str__ may raise anything
        message = f"<{type(broken).__name__} in __str__>"
    return {
        "type": kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}",
        "message": message,
        "frames": [list(frame) for frame in frames_of(error.__traceback__, root)][-_FRAME_LIMIT:],
    }


def frames_of(tb: TracebackType | None, root: str) -> Iterable[tuple[str, int, str]]:
    """(file, line, function) from the outermost frame to where it was raised."""
    while tb is not None:
        file = tb.tb_frame.f_code.co_filename
        yield file.removeprefix(root.rstrip("/") + "/"), tb.tb_lineno, tb.tb_frame.f_code.co_name
        tb = tb.tb_next
