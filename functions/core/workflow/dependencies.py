"""A repository's dependencies as InstallDependencies leaves them for ValidatePatch, which has no network."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Self

from functions.core.source.archive import ArchiveLimits
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import ArchiveUnsafe

LIMITS = ArchiveLimits(members=40_000, bytes=400 * 1024 * 1024)
"""How much may be installed: what ValidatePatch can unpack within seconds, and hold."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The `dependencies` part of the state."""

    key: str = ""
    """The environment's archive in the artifacts bucket, named by its content; "" when there is none."""
    reason: str = ""
    """Why what the repository asks for was not installed; "" when it was, or it asks for nothing."""
    packages: int = 0
    lost: tuple[str, ...] = ()
    """What is missing of it, or other than asked for, one clause each."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read from the state input; an execution of before this step was there has none."""
        told = state.get("dependencies", {})
        return cls(**{**told, "lost": tuple(told.get("lost", ()))})

    def archive(self, artifacts: Artifacts) -> bytes:
        """The archive, which heals share. Raises ArchiveUnsafe unless it is what its name says."""
        body = artifacts.get(self.key)
        if self.key != archive_key(hashlib.sha256(body).hexdigest()):
            raise ArchiveUnsafe(
                f"the dependencies at {self.key} are not what was installed; delete them, and start over"
            )
        return body


def archive_key(sha256: str) -> str:
    """Where an archive with this hash lies. Raises ValueError for what is no hash."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256!r} is no SHA-256")
    return f"dependencies/{sha256}.tar.gz"
