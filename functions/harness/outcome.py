"""How one run ended: what the driver saw from outside, and what the worker reported from inside."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OUTPUT_TAIL = 16 * 1024
"""Bytes of a run's output that are kept: the end, where the error is."""
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of output after which a run is stopped."""
REPORT_LIMIT = 16 * 1024 * 1024
"""Bytes of a worker's report after which a run is stopped: some 30,000 tests."""
STOPPED = ("", "time", "output")
"""Why a run was stopped; "" for one that ended by itself."""


@dataclass(frozen=True)
class RunOutcome:
    """One run. What is in `report` is the word of a stranger."""

    exit_code: int | None
    """None when it was stopped; a signal N is 128 + N, as in a shell."""
    stopped: str
    """"" or why it was stopped: one of `STOPPED`."""
    seconds: float
    output: str
    """The end of what it printed, as UTF-8 with replacements."""
    report: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Any) -> RunOutcome:
        """Read strictly what a stranger may have written. Raises ValueError, KeyError and TypeError."""
        if set(row) != {"exit_code", "stopped", "seconds", "output", "report"}:
            raise ValueError("an outcome has other fields")
        code, stopped, seconds = row["exit_code"], row["stopped"], row["seconds"]
        whole = isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 256
        if stopped not in STOPPED or whole == bool(stopped) or (stopped and code is not None):
            raise ValueError("a run either ends by itself or is stopped")
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not number or not 0 <= seconds < 1e6:
            raise ValueError("no duration")
        if not isinstance(row["output"], str) or not isinstance(row["report"], str):
            raise TypeError("no text")
        if len(row["report"]) > REPORT_LIMIT:
            raise ValueError("a report longer than any that is written")
        output, report = (_whole(row[name]) for name in ("output", "report"))
        return cls(code, stopped, float(seconds), output[-OUTPUT_TAIL:], report)


def _whole(text: str) -> str:
    """Text that can be written: half of a character, which JSON can hold, cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
