"""Which pieces of a file are executed, by tests (as a plugin of pytest) or by the search's calls.

A piece is a range of the source, down to one arm of a conditional expression. Instructions know the range of
source that they stand for (PEP 657), so a piece was executed when one of its instructions was. Only functions
that hold a piece not yet seen are traced; the rest of the process runs at full speed but for its calls.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from functions.validate_patch.sandbox.report import write_line

Range = tuple[int, int, int, int]
"""First line and column, last line and column, as `ast` counts: lines from 1, columns in bytes of UTF-8."""


class Tracer:
    """Reports `{"executable": [...]}` when it starts, then `{"executed": [n]}` when a piece first is."""

    def __init__(self, root: str, report: int, pieces: list[tuple[str, Range]]) -> None:
        """`pieces`: path below `root` and range; their places in this list are what is reported."""
        self._report = report
        self._waiting: dict[str, dict[int, Range]] = {}
        for number, (path, span) in enumerate(pieces):
            self._waiting.setdefault(f"{root}/{path}", {})[number] = span
        self._offsets: dict[CodeType, dict[int, set[int]]] = {}

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.start()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.stop()

    def start(self) -> None:
        """From here on, in this thread and those to come. Raises SyntaxError and ValueError of the files."""
        found: set[int] = set()
        for file, pieces in self._waiting.items():
            for code in _codes(compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)):
                found.update(*_instructions(code, pieces).values())
        if not found:
            return
        write_line(self._report, {"executable": sorted(found)})
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def stop(self) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        pieces = self._waiting.get(frame.f_code.co_filename)
        if not pieces:
            return None
        offsets = self._offsets.get(frame.f_code)
        if offsets is None:
            offsets = self._offsets[frame.f_code] = _instructions(frame.f_code, pieces)
        if not any(numbers & pieces.keys() for numbers in offsets.values()):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            pieces = self._waiting[frame.f_code.co_filename]
            for number in self._offsets[frame.f_code].get(frame.f_lasti, ()):
                if pieces.pop(number, None) is not None:
                    write_line(self._report, {"executed": [number]})
        return self._step


def _instructions(code: CodeType, pieces: dict[int, Range]) -> dict[int, set[int]]:
    """Offset of each instruction of `code` that belongs to pieces → their numbers."""
    found: dict[int, set[int]] = {}
    for index, (line, last_line, column, last_column) in enumerate(code.co_positions()):
        if line is None or last_line is None or column is None or last_column is None:
            continue
        within = {
            number
            for number, (first, start, last, end) in pieces.items()
            if (first, start) <= (line, column) and (last_line, last_column) <= (last, end)
        }
        if within:
            found[index * 2] = within  # an instruction takes two bytes, as each of its inline caches does
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A module's code and that of everything defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
