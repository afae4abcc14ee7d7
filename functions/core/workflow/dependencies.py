"""A repository's dependencies as InstallDependencies leaves them for ValidatePatch, which has no network."""

from __future__ import annotations

import hashlib
import re

from functions.core.source.archive import ArchiveLimits
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import ArchiveUnsafe
from functions.core.workflow.state import DependenciesState

LIMITS = ArchiveLimits(members=40_000, bytes=400 * 1024 * 1024)
"""How much may be installed: what ValidatePatch can unpack within seconds, and hold."""


def environment_of(dependencies: DependenciesState, artifacts: Artifacts) -> bytes:
    """The archive that heals share; b"" without one. Raises ArchiveUnsafe unless it is what its name says."""
    if not dependencies.key:
        return b""
    body = artifacts.get(dependencies.key)
    if dependencies.key != archive_key(hashlib.sha256(body).hexdigest()):
        raise ArchiveUnsafe(
            f"the dependencies at {dependencies.key} are not what was installed; delete them, and start over"
        )
    return body


def archive_key(sha256: str) -> str:
    """Where an archive with this hash lies. Raises ValueError for what is no hash."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256!r} is no SHA-256")
    return f"dependencies/{sha256}.tar.gz"
