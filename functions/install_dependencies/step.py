"""InstallDependencies within a heal: one environment per set of requirements, shared between heals."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from functions.core import archive
from functions.core.artifacts import Artifacts
from functions.core.dependencies import LIMITS, Dependencies, archive_key
from functions.core.errors import SourceTooLarge
from functions.core.lifetimes import REUSE_DAYS
from functions.core.python import Python
from functions.core.redaction import redact
from functions.install_dependencies.install import NotInstalled, check_places, install, target
from functions.install_dependencies.wanted import wanted


def left_to(project: str) -> dict[str, Any]:
    """The `dependencies` part of the state for an app whose tests run in CodeBuild."""
    reason = f"the tests run in CodeBuild project {project}, whose image brings what they need"
    return asdict(Dependencies(reason=reason))


def install_for(
    artifacts: Artifacts, source_key: str, python: Python, environment: Mapping[str, str], machine: str = ""
) -> dict[str, Any]:
    """The `dependencies` part of the state: {"key", "reason", "packages"}. machine: the type of what runs
    patches, where it is not this one's.

    The archive lies under a key by the hash of its own content, by which whoever uses it checks it; an entry
    by the hash of what was asked for leads to it, and is written last. What cannot be installed ends no heal:
    the reason goes into the evidence. It is not kept either, so that the next heal tries again.
    """
    tree = {
        m.path: m.data for m in archive.read(artifacts.get(source_key)) if m.kind is not archive.Kind.SYMLINK
    }
    asked = wanted(tree)
    if asked.problem or not asked.requirements:
        return asdict(Dependencies(reason=redact(asked.problem)))
    try:
        check_places(asked, environment)
    except NotInstalled as error:
        return asdict(Dependencies(reason=str(error)))
    entry = f"dependencies/{asked.digest(target(python.version, machine))}.json"
    if (known := _known(artifacts.find_json(entry))) is not None:
        return asdict(known)
    with tempfile.TemporaryDirectory(prefix="self-heal-") as folder:
        try:
            packages = install(asked, python.version, Path(folder), environment, machine)
            body = archive.pack(archive.members_of(Path(folder) / "site"), LIMITS)
        except NotInstalled as error:
            return asdict(Dependencies(reason=str(error)))
        except SourceTooLarge:
            return asdict(Dependencies(reason=f"they take more than {LIMITS.bytes / 1e6:,.0f} MB"))
    digest = hashlib.sha256(body).hexdigest()
    artifacts.put(archive_key(digest), body, "application/gzip")
    artifacts.put_json(
        entry,
        {
            "sha256": digest,
            "packages": packages,
            "python": python.version,
            "requirements": list(asked.requirements),
            "installed_at": int(time.time()),
        },
    )
    return asdict(Dependencies(archive_key(digest), packages=packages))


def _known(entry: dict[str, Any] | None) -> Dependencies | None:
    """What an entry leads to; None without one, or when its archive could expire while this heal needs it."""
    if entry is None or entry.get("installed_at", 0) < time.time() - REUSE_DAYS * 24 * 3600:
        return None
    return Dependencies(archive_key(entry["sha256"]), packages=entry["packages"])
