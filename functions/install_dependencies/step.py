"""InstallDependencies within a heal: one environment per set of requirements, shared between heals."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from functions.core.aws.deployment import Deployment
from functions.core.source import archive
from functions.core.source.python import Python
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.dependencies import archive_key
from functions.core.workflow.lifetimes import REUSE_DAYS
from functions.core.workflow.state import DependenciesState, HealState
from functions.core.workflow.validation_context import ValidationContext
from functions.install_dependencies.install import (
    check_places,
    day_after,
    install,
    installer_environment,
    target,
)
from functions.install_dependencies.installer import NotInstalled
from functions.install_dependencies.requirements import Requirements, wanted


def run(state: HealState, deployment: Deployment) -> DependenciesState:
    """Nothing for an app whose tests run in CodeBuild; else as `install_for`."""
    heal, source = state.heal, state.source
    artifacts = deployment.artifacts_of(heal)
    if project := ValidationContext.load(artifacts, heal, source.context_key).app.codebuild_project:
        reason = f"the tests run in CodeBuild project {project}, whose image brings what they need"
        return DependenciesState(reason=reason)
    settings = deployment.settings
    environment = installer_environment(deployment.environment, settings.package_index)
    as_of = day_after(source.committed)  # a heal that began before it was told has none
    return install_for(artifacts, source.key, source.python, environment, settings.runs_on, as_of)


def install_for(
    artifacts: Artifacts,
    source_key: str,
    python: Python,
    environment: Mapping[str, str],
    machine: str = "",
    as_of: str = "",
) -> DependenciesState:
    """machine: the type of what runs patches, where it is not this one's; as_of: the day after the revision,
    after which no version counts.

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
        return DependenciesState(reason=redact(asked.problem), lost=asked.lost)
    try:
        check_places(asked, environment)
        entry = f"dependencies/{asked.digest(target(python.version, machine, as_of))}.json"
        if (known := _known(artifacts.find_json(entry))) is not None:
            return known
        done = install(asked, python.version, environment, machine=machine, as_of=as_of)
    except NotInstalled as error:
        return DependenciesState(reason=str(error)[:400])
    digest = hashlib.sha256(done.body).hexdigest()
    artifacts.put(archive_key(digest), done.body, "application/gzip")
    artifacts.put_json(entry, _entry(digest, done.packages, done.lost, python, asked))
    return DependenciesState(archive_key(digest), packages=done.packages, lost=done.lost)


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


def _known(entry: dict[str, Any] | None) -> DependenciesState | None:
    """What an entry leads to; None without one, or when its archive could expire while this heal needs it."""
    if entry is None or entry.get("installed_at", 0) < time.time() - REUSE_DAYS * 24 * 3600:
        return None
    return DependenciesState(
        archive_key(entry["sha256"]), packages=entry["packages"], lost=tuple(entry.get("lost", ()))
    )
