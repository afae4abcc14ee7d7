"""ValidatePatch on AWS: source, proposal and facts from the heal's artifacts; patch and evidence to them.

Its function has no credentials but to its artifact prefix, and no network but to the artifacts bucket.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from functions.core import archive
from functions.core.artifacts import Artifacts
from functions.core.dependencies import LIMITS, Dependencies
from functions.core.edge import step
from functions.core.facts import Facts
from functions.core.heal import Heal
from functions.core.proposal import Proposal
from functions.core.settings import Settings
from functions.validate_patch.codebuild.step import DEFERRED, Order, before_or_after
from functions.validate_patch.sandbox.sandbox import Sandbox
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import Validation, examine, tree_of, validate


@step
def handler(event: dict[str, Any]) -> dict[str, Any]:
    """The `validation` part of the state input. A second run overwrites its artifacts with equal ones.

    For an app whose tests run in CodeBuild the first answer is an order for a build: `codebuild/step.py`.
    """
    heal = Heal.from_state(event)
    artifacts = Artifacts(boto3.client("s3"), Settings.from_environment().require("artifacts_bucket"))
    source = event["source"]
    facts = Facts.load(artifacts, heal, source.get("facts", ""))
    tree = tree_of(archive.read(artifacts.get(source["key"])))
    proposal = Proposal.from_json(artifacts.get_json(event["proposal"]["key"]))
    if facts.app.codebuild_project:
        examined = examine(tree, proposal, facts)
        result = before_or_after(event, heal, artifacts, examined, source["base_sha"])
        if isinstance(result, Order):
            return {"verdict": DEFERRED, "build": asdict(result)}
    else:
        result = _in_sandbox(
            artifacts, Dependencies.from_state(event), tree, proposal, facts, source["base_sha"]
        )
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


def _in_sandbox(
    artifacts: Artifacts,
    dependencies: Dependencies,
    tree: Tree,
    proposal: Proposal,
    facts: Facts,
    base_sha: str,
) -> Validation:
    with tempfile.TemporaryDirectory(prefix="self-heal-") as folder:
        if dependencies.key:
            archive.unpack(artifacts.get(dependencies.key), Path(folder), LIMITS)
        sandbox = partial(Sandbox, dependencies=Path(folder) if dependencies.key else None)
        return validate(tree, proposal, facts, base_sha, sandbox, dependencies.reason)
