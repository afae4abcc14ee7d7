"""ValidatePatch for an app whose tests run in CodeBuild: once before the build, and once after it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.core.artifacts import Artifacts
from functions.core.builds import log_url
from functions.core.evidence import Build
from functions.core.heal import Heal
from functions.validate_patch import formatting
from functions.validate_patch.codebuild import prove, results
from functions.validate_patch.codebuild.bundle import bundle
from functions.validate_patch.validate import RUNNING, Examined, Validation, conclude, not_run

DEFERRED = "deferred"
"""The verdict before the build: the gates that read passed, the others follow from what the build runs."""
_REPORT, _EXIT = "results/report.json", "results/exit"


@dataclass(frozen=True, slots=True)
class Order:
    """What the workflow starts a build with: the `build` part of a deferred verdict."""

    project: str
    bucket: str
    folder: str
    """Key prefix of this build's own, with a part that nobody can guess: the project's role may read and
    write below `builds/<project>/`, but not list it, so the code of one build does not find another's."""
    nonce: str
    """Must come back in the report."""


def before_or_after(
    state: Mapping[str, Any], heal: Heal, artifacts: Artifacts, examined: Examined, base_sha: str
) -> Order | Validation:
    """An order for a build, when there has been none for this attempt and it is worth one; else the verdict.

    After a build there is always a verdict, so the workflow cannot go round in circles.
    """
    candidate = examined.candidate
    if not examined.passed or formatting.findings(candidate):
        waiting = not_run(*RUNNING, why="an earlier gate failed")
        return conclude(examined, candidate, waiting, base_sha)
    validation = state.get("validation", {})
    if validation.get("verdict") != DEFERRED:
        return _ordered(heal, artifacts, examined)
    order = Order(**validation["build"])
    gates = prove.gates(
        candidate,
        order.project,
        artifacts.get_at_most(f"{order.folder}/{_REPORT}", results.MOST_BYTES),
        artifacts.get_at_most(f"{order.folder}/{_EXIT}", results.MOST_BYTES) or b"",
        order.nonce,
    )
    build = Build(order.project, state["build"]["arn"], log_url(state["build"]["log_url"]))
    return conclude(examined, candidate, gates, base_sha, build)


def _ordered(heal: Heal, artifacts: Artifacts, examined: Examined) -> Order:
    """Leave what the build needs. A second run leaves another order; only the last one is followed."""
    project = examined.candidate.facts.app.codebuild_project
    folder = f"builds/{project}/{heal.heal_id}/{heal.attempt}-{secrets.token_hex(16)}"
    order = Order(project, artifacts.bucket, folder, secrets.token_hex(16))
    # A build that leaves nothing leaves these; this function may not see whether an object exists.
    for name in (_REPORT, _EXIT):
        artifacts.put(f"{folder}/{name}", b"")
    artifacts.put(f"{folder}/source.zip", bundle(examined.candidate, order.nonce), "application/zip")
    return order
