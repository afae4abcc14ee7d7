"""InstallDependencies within a heal: one environment per set of requirements, shared between heals."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from functions.core.source import archive
from functions.core.source.python import Python
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.dependencies import Dependencies, archive_key
from functions.core.workflow.lifetimes import REUSE_DAYS
from functions.install_dependencies.install import check_places, install, target
from functions.install_dependencies.installer import NotInstalled
from functions.install_dependencies.requirements import Requirements, wanted


def left_to(project: str) -> dict[str, Any]:
    """The `dependencies` part of the state for an app whose tests run in CodeBuild."""
    reason = f"the tests run in CodeBuild project {project}, whose image brings what they need"
    return asdict(Dependencies(reason=reason))


def install_for(
    artifacts: Artifacts,
    source_key: str,
    python: Python,
    environment: Mapping[str, str],
    machine: str = "",
    as_of: str = "",
) -> dict[str, Any]:
    """The `dependencies` part of the state: {"key", "reason", "packages", "lost"}. machine: the type of what
    runs
    patches, where it is not this one's; as_of: the day after the revision, after which no version counts.

    The archive lies under a key by the hash of its own content, by which whoever uses it checks it; an entry
    by the hash of what was asked for leads to it, and is written last. What cannot be installed ends no heal:
    the reason goes into the evidence. It is not kept either, so that the next heal tries again.
    """
    tree = {
        m.path: m.data
        for m in archive.read(artifacts.get(source_key))
        if m.kind is not archive.MemberKind.SYMLINK
    }
    asked = wanted(tree)
    if asked.problem or not (asked.requirements or asked.itself.name):
        return asdict(Dependencies(reason=redact(asked.problem), lost=asked.lost))
    try:
        check_places(asked, environment)
        entry = f"dependencies/{asked.digest(target(python.version, machine, as_of))}.json"
        if (known := _known(artifacts.find_json(entry))) is not None:
            return asdict(known)
        done = install(asked, python.version, environment, machine=machine, as_of=as_of)
    except NotInstalled as error:
        return asdict(Dependencies(reason=str(error)[:400]))
    digest = hashlib.sha256(done.body).hexdigest()
    artifacts.put(archive_key(digest), done.body, "application/gzip")
    artifacts.put_json(entry, _entry(digest, done.packages, done.lost, python, asked))
    return asdict(Dependencies(archive_key(digest), packages=done.packages, lost=done.lost))


def _entry(
    digest: str, packages: int, lost: tuple[str, ...], python: Python, asked: Requirements
) -> dict[str, Any]:
    return {
        "sha256": digest,
        "packages": packages,
        "lost": list(lost),
        "python": python.version,
        "requirements": list(asked.requirements),
        "installed_at": int(time.time()),
    }


def _known(entry: dict[str, Any] | None) -> Dependencies | None:
    """What an entry leads to; None without one, or when its archive could expire while this heal needs it."""
    if entry is None or entry.get("installed_at", 0) < time.time() - REUSE_DAYS * 24 * 3600:
        return None
    return Dependencies(
        archive_key(entry["sha256"]), packages=entry["packages"], lost=tuple(entry.get("lost", ()))
    )
