"""ValidatePatch on AWS: source, proposal and facts from the heal's artifacts; patch and evidence to them.

It runs nothing of the repository's: for what must be run it leaves a job, and judges the report when it is
asked again (`lanes.py`). It reads and writes artifacts of its heal alone, beside the dependencies that heals
share.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from functions.core import archive
from functions.core.artifacts import Artifacts
from functions.core.dependencies import Dependencies
from functions.core.edge import step
from functions.core.facts import Facts
from functions.core.heal import Heal
from functions.core.proposal import Proposal
from functions.core.scoped import artifacts_of
from functions.core.settings import Settings
from functions.core.switch import refuse_when_stopped
from functions.validate_patch import lanes
from functions.validate_patch.validate import (
    RUNNING,
    Validation,
    conclude,
    examine,
    not_run,
    tree_of,
    why_not_run,
)


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """The `validation` part of the state input. A second run overwrites its artifacts with equal ones."""
    settings = Settings.from_environment()
    refuse_when_stopped(settings)
    heal = Heal.from_state(event)
    artifacts = artifacts_of(heal, settings)
    source, dependencies = event["source"], Dependencies.from_state(event)
    proposal = Proposal.from_json(artifacts.get_json(event["proposal"]["key"]))
    facts = replace(Facts.load(artifacts, heal, source.get("facts", "")), lost=dependencies.lost)
    examined = examine(tree_of(archive.read(artifacts.get(source["key"]))), proposal, facts)
    if lanes.came_back(event):
        return _kept(heal, artifacts, lanes.judged(event, heal, artifacts, examined, source["base_sha"]))
    # A project's image brings what the tests import.
    missing = "" if examined.candidate.facts.app.codebuild_project else dependencies.reason
    if why := why_not_run(examined, missing) or lanes.why_not_ordered(event, examined):
        waiting = not_run(*RUNNING, why=why)
        return _kept(heal, artifacts, conclude(examined, examined.candidate, waiting, source["base_sha"]))
    packages = dependencies.archive(artifacts) if dependencies.key else b""
    return lanes.ordered(heal, artifacts, examined, packages).to_state()


def _kept(heal: Heal, artifacts: Artifacts, result: Validation) -> dict[str, Any]:
    evidence = result.evidence
    patch_key = artifacts.put(heal.attempt_key("patch.diff"), result.patch, "text/x-diff")
    evidence_key = artifacts.put_json(heal.attempt_key("evidence.json"), evidence.to_json())
    artifacts.put_json(heal.attempt_key("findings.json"), {"findings": list(evidence.findings)})
    return {
        "verdict": "accepted" if evidence.accepted else "rejected",
        "patch_key": patch_key,
        "patch_sha256": evidence.patch_sha256,
        "evidence_key": evidence_key,
        "reason": result.reason,
        "proven": result.proven,
        "findings": len(evidence.findings),
    }
