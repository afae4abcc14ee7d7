"""Commands of ours in what people are sent and shown: as they work when they are pasted."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMAND = re.compile(r"(?<![\w/.-])selfheal((?: (?:apps|local))? [a-z]+)")

PROGRAM = "selfheal"


@dataclass(frozen=True, slots=True)
class Commands:
    """How commands are written for those who read them.

    program: what starts `selfheal` there; flag: what makes a command act on this deployment, with the space
    before it, such as ` --stage beta`.
    """

    program: str = PROGRAM
    flag: str = ""

    def pasted(self, text: str) -> str:
        """Text with its commands made whole; those that a path begins are whole already."""
        return _COMMAND.sub(lambda found: f"{self.program}{found[1]}{self.flag}", text)
