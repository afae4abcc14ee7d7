"""ValidatePatch on AWS: source, proposal and context from the heal's artifacts; patch and evidence to them.

It runs nothing of the repository's: for what must be run it leaves a job, and judges the report when it is
asked again (`lanes.py`). It reads and writes artifacts of its heal alone, beside the dependencies that heals
share.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.source import archive
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.dependencies import Dependencies
from functions.core.workflow.heal import QUESTIONS, Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.core.workflow.validation_context import ValidationContext
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
    context = replace(
        ValidationContext.load(artifacts, heal, source.get("facts", "")), lost=dependencies.lost
    )
    examined = examine(tree_of(archive.read(artifacts.get(source["key"]))), proposal, context)
    tries = int(event.get("attempts_allowed", 0)) - heal.attempt
    if lanes.came_back(event):
        judged = lanes.judged(event, heal, artifacts, examined, source["base_sha"])
        return _kept(heal, artifacts, judged, tries)
    # A project's image brings what the tests import.
    missing = "" if examined.candidate.context.app.codebuild_project else dependencies.reason
    if why := why_not_run(examined, missing) or lanes.why_not_ordered(event, examined):
        waiting = not_run(*RUNNING, why=why)
        result = conclude(examined, examined.candidate, waiting, source["base_sha"])
        return _kept(heal, artifacts, result, tries)
    packages = dependencies.archive(artifacts) if dependencies.key else b""
    return lanes.ordered(heal, artifacts, examined, packages).to_state()


def _kept(heal: Heal, artifacts: Artifacts, result: Validation, tries: int) -> dict[str, Any]:
    """tries: how many attempts are left. A question goes back to the model while there is one, once in a
    heal; then it goes to people."""
    evidence = result.evidence
    patch_key = artifacts.put(heal.attempt_key("patch.diff"), result.patch, "text/x-diff")
    evidence_key = artifacts.put_json(heal.attempt_key("evidence.json"), evidence.to_json())
    findings = list(evidence.findings)
    verdict = "accepted" if evidence.accepted else "rejected"
    if evidence.accepted and evidence.questions and tries > 0 and not _asked_before(heal, artifacts):
        verdict = "questioned"
        findings = [f"question: {question.said}" for question in evidence.questions]
        artifacts.put_json(heal.attempt_key(QUESTIONS), findings)
    artifacts.put_json(heal.attempt_key("findings.json"), {"findings": findings})
    return {
        "verdict": verdict,
        "patch_key": patch_key,
        "patch_sha256": evidence.patch_sha256,
        "evidence_key": evidence_key,
        "reason": result.reason,
        "proven": result.proven,
        "findings": len(findings),
        "questions": [question.to_state() for question in evidence.questions],
    }


def _asked_before(heal: Heal, artifacts: Artifacts) -> bool:
    numbers = range(1, heal.attempt)
    return any(artifacts.find_json(heal.attempt_key(QUESTIONS, number)) for number in numbers)
