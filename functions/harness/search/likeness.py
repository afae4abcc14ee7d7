"""Whether a call failed as the incident did, and the values that are tried for any incident."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any

from functions.harness.report import frames_of
from functions.harness.search.values import Value

POOL: tuple[Value, ...] = (None, "", 0, 1, -1, "x", [], {}, 1.5, "1", True, "é", -0.5, ["x"], {"key": "x"})
# Texts in the forms that data comes in: what code was not written for is often one of these.
FORMS: tuple[Value, ...] = ("1,5", "2024-02-29", "29.02.2024", "12:30", "0.1", "A b", "", " x ", "long " * 9)


class Likeness:
    """What to look for: the type, the place, and, as far as it tells, the message."""

    def __init__(self, task: dict[str, Any], root: str) -> None:
        self._type = task["type"].rpartition(".")[2]
        # Since 3.10 a printed traceback may end with a hint that is no part of the message itself.
        self._message = re.sub(r"\. Did you (?:mean|forget).*$", "", " ".join(task["message"].split()))
        self._place = task["places"][-1]
        self._root = root

    def of(self, error: BaseException) -> int:
        """2: this is the incident; 1: it is like it but for values in the message; 0: something else."""
        if type(error).__name__ != self._type:
            return 0
        own = [
            frame
            for frame in frames_of(error.__traceback__, self._root)
            if not frame[0].startswith(("/", "<"))
        ]
        if not own or own[-1][0] != self._place["path"] or own[-1][2] != self._place["function"]:
            return 0
        line = linecache.getline(str(Path(self._root, own[-1][0])), own[-1][1]).strip()
        if own[-1][1] != self._place["line"] and line != self._place["code"]:
            return 0
        message = " ".join(str(error).split())
        if message == self._message or isinstance(error, RecursionError):
            return 2  # where the stack ends is chance
        return int(_form(message) == _form(self._message))


def _form(message: str) -> str:
    """A message without its values."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\[redacted[^\]]*\]|\d+(?:\.\d+)?", "*", message)
