"""The Python that an app runs on: found once per heal by FetchSource, followed by all that runs its code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Python:
    """The `python` of the state's `source` part, and of the evidence.

    version: such as "3.12"; why: who named it, or why it was chosen, as one clause.
    """

    version: str
    why: str
    guessed: bool = field(default=False, compare=False)
    """Whether nothing named it, so that another that is there would do as well."""

    @classmethod
    def from_json(cls, data: dict[str, Any] | None) -> Self:
        """Read what `to_json` gave; what was written before interpreters were looked for has none."""
        return cls(data["version"], data["why"], bool(data.get("guessed"))) if data else cls(*_BEFORE)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read from the state input of a step after FetchSource."""
        return cls.from_json(state["source"].get("python"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def said(self) -> str:
        """For people: `Python 3.12: .python-version names 3.12.4`."""
        return f"Python {self.version}: {self.why}"


_BEFORE = ("3.11", "the heal began when this was the only one")
