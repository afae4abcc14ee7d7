"""ValidatePatch on AWS: source, proposal and context from the heal's artifacts; patch and evidence to them.

It runs nothing of the repository's: for what must be run it leaves a job, and judges the report when it is
asked again (`lanes.py`). It reads and writes artifacts of its heal alone, beside the dependencies that heals
share.
"""

from __future__ import annotations

from dataclasses import replace

from functions.core.aws.deployment import Deployment
from functions.core.source import archive
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.dependencies import environment_of
from functions.core.workflow.heal import Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.state import HealState, QuestionState, ValidationState
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


def run(state: HealState, deployment: Deployment) -> ValidationState:
    """A second run overwrites its artifacts with equal ones."""
    heal, source = state.heal, state.source
    artifacts = deployment.artifacts_of(heal)
    proposal = Proposal.from_json(artifacts.get_json(state.proposal.key))
    context = replace(
        ValidationContext.load(artifacts, heal, source.context_key), lost=state.dependencies.lost
    )
    examined = examine(tree_of(archive.read(artifacts.get(source.key))), proposal, context)
    tries = state.attempts_allowed - heal.attempt
    if lanes.came_back(state):
        return _kept(heal, artifacts, lanes.judged(state, artifacts, examined), tries)
    # A project's image brings what the tests import.
    missing = "" if examined.candidate.context.app.codebuild_project else state.dependencies.reason
    if why := why_not_run(examined, missing) or lanes.why_not_ordered(state, examined):
        waiting = not_run(*RUNNING, why=why)
        result = conclude(examined, examined.candidate, waiting, source.base_sha)
        return _kept(heal, artifacts, result, tries)
    return lanes.ordered(heal, artifacts, examined, environment_of(state.dependencies, artifacts))


def _kept(heal: Heal, artifacts: Artifacts, result: Validation, tries: int) -> ValidationState:
    """tries: how many attempts are left. A question goes back to the model while there is one, once in a
    heal; then it goes to people."""
    evidence = result.evidence
    patch_key = artifacts.put(heal.attempt_key(Artifact.PATCH), result.patch, "text/x-diff")
    evidence_key = artifacts.put_json(heal.attempt_key(Artifact.EVIDENCE), evidence.to_json())
    findings = list(evidence.findings)
    verdict = "accepted" if evidence.accepted else "rejected"
    if evidence.accepted and evidence.questions and tries > 0 and not _asked_before(heal, artifacts):
        verdict = "questioned"
        findings = [f"question: {question.said}" for question in evidence.questions]
        artifacts.put_json(heal.attempt_key(Artifact.QUESTIONS), findings)
    artifacts.put_json(heal.attempt_key(Artifact.FINDINGS), {"findings": findings})
    return ValidationState(
        verdict=verdict,
        patch_key=patch_key,
        patch_sha256=evidence.patch_sha256,
        evidence_key=evidence_key,
        reason=result.reason,
        proven=result.proven,
        findings=len(findings),
        questions=tuple(
            QuestionState(asked.principle, asked.text, asked.where, asked.calls)
            for asked in evidence.questions
        ),
    )


def _asked_before(heal: Heal, artifacts: Artifacts) -> bool:
    numbers = range(1, heal.attempt)
    return any(artifacts.find_json(heal.attempt_key(Artifact.QUESTIONS, number)) for number in numbers)
