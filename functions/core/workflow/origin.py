"""Where an error comes from: the line that failed, who changed it last, and what was deployed before."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

ORIGIN = "origin.json"
"""Artifact of a heal, made by FetchSource."""


@dataclass(frozen=True, slots=True)
class Change:
    """A commit. at: ISO 8601; subject: the first line of its message; older: it is the oldest that was looked
    at, and the line may be older still."""

    sha: str
    author: str
    at: str
    subject: str
    older: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The app's line that failed, in the repository. line: 0 where it reads otherwise at this revision; url:
    its page on the forge; change_url: that of the change; deployed_at: ISO 8601, "" where nothing says that
    the function was deployed before its error was first seen."""

    path: str
    line: int
    url: str
    change: Change | None = None
    change_url: str = ""
    deployed_at: str = ""

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        change = data.get("change")
        return cls(**data | {"change": Change(**change) if change else None})
