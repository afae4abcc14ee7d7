"""ValidatePatch on AWS: source, proposal and context from the heal's artifacts; patch and evidence to them.

It runs nothing of the repository's: for what must be run it leaves a job, and judges the report when it is
asked again (`lanes.py`). It reads and writes artifacts of its heal alone, beside the dependencies that heals
share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident
from functions.core.source import archive
from functions.core.source.history import History
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.dependencies import environment_of
from functions.core.workflow.heal import Heal
from functions.core.workflow.joined import MOST_REPRODUCED
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.state import FixedState, HealState, QuestionState, ValidationState
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch import lanes, twice
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import (
    EARLIER,
    Examined,
    Validation,
    conclude,
    examine,
    not_run,
    running_of,
    tree_of,
    why_not_run,
)


@dataclass(frozen=True)
class _Work:
    """One invocation."""

    state: HealState
    artifacts: Artifacts
    proposal: Proposal
    context: ValidationContext

    def tree(self, key: str) -> Tree:
        return tree_of(archive.read(self.artifacts.get(key)))

    def proved(
        self,
        examined: Examined,
        base_sha: str,
        runs: Candidate | None,
        besides: Mapping[str, Any],
        first: str,
    ) -> Validation | ValidationState:
        """The verdict, or what has to be run for it. first: reference to what came out of the first proof,
        "" while this is that one."""
        state, dependencies = self.state, self.state.dependencies
        if lanes.came_back(state) and state.validation.order.deployed == first:
            return lanes.judged(state, self.artifacts, examined, base_sha)
        # A project's image brings what the tests import.
        missing = "" if examined.candidate.context.app.codebuild_project else dependencies.reason
        why = why_not_run(examined, missing) if not first else missing
        why = why or lanes.why_not_ordered(state, examined)
        if why or runs is None:
            candidate = examined.candidate
            not_ran = not_run(*running_of(candidate), why=why or EARLIER)
            return conclude(examined, candidate, not_ran, base_sha)
        packages = environment_of(dependencies, self.artifacts)
        return lanes.ordered(state.heal, self.artifacts, runs, packages, besides, first)


def run(state: HealState, deployment: Deployment) -> ValidationState:
    """A second run overwrites its artifacts with equal ones."""
    heal, source = state.heal, state.source
    artifacts = deployment.artifacts_of(heal)
    proposal = Proposal.from_json(artifacts.get_json(state.proposal.key))
    context = ValidationContext.load(artifacts, heal, source.context_key)
    told = artifacts.get_json(state.proposal.joined_key) if state.proposal.joined_key else []
    joined = tuple(map(Incident.from_item, told[:MOST_REPRODUCED]))
    beyond = len(told) - len(joined)
    context = replace(context, lost=state.dependencies.lost, joined=joined, joined_beyond=beyond)
    work = _Work(state, artifacts, proposal, context)
    first = state.validation.order.deployed if lanes.came_back(state) else ""
    if not first:
        examined = examine(work.tree(source.key), proposal, work.context)
        # A heal that began before there were two has one commit.
        deployed_sha = source.deployed_sha or source.base_sha
        result = work.proved(examined, deployed_sha, examined.candidate, {}, "")
        if isinstance(result, ValidationState):
            return result
        if not source.head_key or not result.evidence.accepted:
            return _kept(work, result)
        told = twice.First.of(result, examined).to_json()
        first = artifacts.put_json(heal.attempt_key(Artifact.DEPLOYED), told)
    return _on_the_head(work, first)


def _on_the_head(work: _Work, reference: str) -> ValidationState:
    """The verdict where the patch goes. reference: to what came out at the deployed revision."""
    source = work.state.source
    first = twice.First.from_json(work.artifacts.get_json(reference))
    history = History.load(work.artifacts, source.history_key)
    second = twice.Second.of(work.tree(source.head_key), work.proposal, work.context, first, history)
    result = work.proved(second.examined, source.base_sha, second.runs, second.besides, reference)
    if isinstance(result, ValidationState):
        return result
    kept = _kept(work, second.told(result, first))
    if result.fixed_by is None:
        return kept
    fixed_by = FixedState(**history.fixed_by(result.fixed_by, source.base_sha))
    return replace(kept, verdict="fixed", fixed_by=fixed_by)


def _kept(work: _Work, result: Validation) -> ValidationState:
    """A question goes back to the model while an attempt is left, once in a heal; then it goes to people."""
    heal, artifacts, evidence = work.state.heal, work.artifacts, result.evidence
    tries = work.state.attempts_allowed - heal.attempt
    patch_key = artifacts.put(heal.attempt_key(Artifact.PATCH), result.patch, "text/x-diff")
    evidence_key = artifacts.put_json(heal.attempt_key(Artifact.EVIDENCE), evidence.to_json())
    findings = list(evidence.findings)
    if evidence.deployed:
        branch = work.context.app.branch
        where = f"on {evidence.base_sha[:12]}, the head of {branch}, which is later than deployed"
        findings = [f"{where}: {finding}" for finding in findings]
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
