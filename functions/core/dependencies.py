"""A repository's dependencies as InstallDependencies leaves them for ValidatePatch, which has no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from functions.core.archive import Limits

LIMITS = Limits(members=40_000, bytes=400 * 1024 * 1024)
"""How much may be installed: what ValidatePatch can unpack within seconds, and hold."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The `dependencies` part of the state."""

    key: str = ""
    """The environment's archive in the artifacts bucket; "" when there is none."""
    reason: str = ""
    """Why what the repository asks for was not installed; "" when it was, or it asks for nothing."""
    packages: int = 0

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read from the state input; an execution of before this step was there has none."""
        return cls(**state.get("dependencies", {}))
