"""ValidatePatch on AWS: source, proposal and context from the heal's artifacts; patch and evidence to them.

It runs nothing of the repository's: for what must be run it leaves a job, and judges the report when it is
asked again (`lanes.py`). It reads and writes artifacts of its heal alone, beside the dependencies that heals
share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.core.aws.edge import step
from functions.core.aws.settings import Settings
from functions.core.source import archive
from functions.core.source.history import History
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.dependencies import Dependencies
from functions.core.workflow.heal import QUESTIONS, Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.scoped import artifacts_of
from functions.core.workflow.switch import refuse_when_stopped
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch import lanes, twice
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import (
    EARLIER,
    RUNNING,
    Examined,
    Validation,
    conclude,
    examine,
    not_run,
    tree_of,
    why_not_run,
)

_FIRST = "deployed.json"
"""Artifact of an attempt: what came out at the deployed revision."""


@dataclass(frozen=True)
class _Work:
    """One invocation."""

    event: dict[str, Any]
    heal: Heal
    artifacts: Artifacts
    dependencies: Dependencies
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
    ) -> Validation | lanes.RunOrder:
        """The verdict, or what has to be run for it. first: reference to what came out of the first proof,
        "" while this is that one."""
        if lanes.came_back(self.event) and lanes.RunOrder.from_state(self.event).deployed == first:
            return lanes.judged(self.event, self.heal, self.artifacts, examined, base_sha)
        # A project's image brings what the tests import.
        missing = "" if examined.candidate.context.app.codebuild_project else self.dependencies.reason
        why = why_not_run(examined, missing) if not first else missing
        why = why or lanes.why_not_ordered(self.event, examined)
        if why or runs is None:
            return conclude(examined, examined.candidate, not_run(*RUNNING, why=why or EARLIER), base_sha)
        packages = self.dependencies.archive(self.artifacts) if self.dependencies.key else b""
        return lanes.ordered(self.heal, self.artifacts, runs, packages, besides, first)


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
    work = _Work(event, heal, artifacts, dependencies, proposal, context)
    first = lanes.RunOrder.from_state(event).deployed if lanes.came_back(event) else ""
    if not first:
        # A heal that began before there were two has one commit.
        examined = examine(work.tree(source["key"]), proposal, context)
        deployed_sha = source.get("deployed_sha", source["base_sha"])
        result = work.proved(examined, deployed_sha, examined.candidate, {}, "")
        if isinstance(result, lanes.RunOrder):
            return result.to_state()
        if not source.get("head_key") or not result.evidence.accepted:
            return _kept(work, result)
        first = artifacts.put_json(heal.attempt_key(_FIRST), twice.First.of(result, examined).to_json())
    return _on_the_head(work, first)


def _on_the_head(work: _Work, reference: str) -> dict[str, Any]:
    """The verdict where the patch goes. reference: to what came out at the deployed revision."""
    source = work.event["source"]
    first = twice.First.from_json(work.artifacts.get_json(reference))
    history = History.load(work.artifacts, source["history_key"])
    second = twice.Second.of(work.tree(source["head_key"]), work.proposal, work.context, first, history)
    result = work.proved(second.examined, source["base_sha"], second.runs, second.besides, reference)
    if isinstance(result, lanes.RunOrder):
        return result.to_state()
    kept = _kept(work, second.told(result, first))
    if result.fixed_by is None:
        return kept
    return {**kept, "verdict": "fixed", "fixed_by": history.fixed_by(result.fixed_by, source["base_sha"])}


def _kept(work: _Work, result: Validation) -> dict[str, Any]:
    """A question goes back to the model while an attempt is left, once in a heal; then it goes to people."""
    heal, artifacts, evidence = work.heal, work.artifacts, result.evidence
    tries = int(work.event.get("attempts_allowed", 0)) - heal.attempt
    patch_key = artifacts.put(heal.attempt_key("patch.diff"), result.patch, "text/x-diff")
    evidence_key = artifacts.put_json(heal.attempt_key("evidence.json"), evidence.to_json())
    findings = list(evidence.findings)
    if evidence.deployed:
        branch = work.context.app.branch
        where = f"on {evidence.base_sha[:12]}, the head of {branch}, which is later than deployed"
        findings = [f"{where}: {finding}" for finding in findings]
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
