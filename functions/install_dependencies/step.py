"""InstallDependencies within a heal: one environment per set of requirements, shared between heals."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from functions.core import archive
from functions.core.artifacts import Artifacts
from functions.core.dependencies import LIMITS, Dependencies
from functions.core.errors import SourceTooLarge
from functions.core.redaction import redact
from functions.install_dependencies.install import NotInstalled, check_places, install
from functions.install_dependencies.wanted import wanted


def left_to(project: str) -> dict[str, Any]:
    """The `dependencies` part of the state for an app whose tests run in CodeBuild."""
    reason = f"the tests run in CodeBuild project {project}, whose image brings what they need"
    return asdict(Dependencies(reason=reason))


def install_for(artifacts: Artifacts, source_key: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The `dependencies` part of the state: {"key", "reason", "packages"}.

    The archive lies under a key by the hash of what was asked for; a marker written last says that it is
    whole. What cannot be installed ends no heal: the reason goes into the evidence. It is not kept either, so
    that the next heal tries again.
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
    key, marker = f"dependencies/{asked.digest}.tar.gz", f"dependencies/{asked.digest}.json"
    if (done := artifacts.find_json(marker)) is not None:
        return asdict(Dependencies(done["key"], packages=done["packages"]))
    with tempfile.TemporaryDirectory(prefix="self-heal-") as folder:
        try:
            packages = install(asked, Path(folder), environment)
            body = archive.pack(archive.members_of(Path(folder) / "site"), LIMITS)
        except NotInstalled as error:
            return asdict(Dependencies(reason=str(error)))
        except SourceTooLarge:
            return asdict(Dependencies(reason=f"they take more than {LIMITS.bytes / 1e6:,.0f} MB"))
    kept = artifacts.put(key, body, "application/gzip")
    artifacts.put_json(marker, {"key": kept, "packages": packages, "requirements": list(asked.requirements)})
    return asdict(Dependencies(kept, packages=packages))
