"""Every lane, as the judge sees it: something is left where the lane leaves it, and a verdict follows."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest

from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.evidence import Evidence, GateResult, Result
from functions.core.workflow.heal import Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.job import Job
from functions.harness.runner import Ran
from functions.validate_patch.handler import handler
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import validate

HEAL = Heal("shop-1f3c", "shop", "heal-1", 2)
STATE: dict[str, Any] = {
    "incident_id": HEAL.incident_id,
    "app": HEAL.app,
    "heal_id": HEAL.heal_id,
    "attempt": HEAL.attempt,
    "source": {"key": HEAL.key("source.tar.gz"), "base_sha": "a" * 40},
    "proposal": {"outcome": "proposed", "key": HEAL.attempt_key("proposal.json")},
    "can_run": True,
}
PROJECT = "self-heal-shop"
BUILT = {"arn": "arn:aws:codebuild:eu-central-1:1:build/self-heal-shop:5d", "log_url": "https://console/log"}
LANES = ("local", "lambda", "microvm", "codebuild")

RIGHT = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")
REGRESSION = """from shop.reports import label


def test_label():
    assert label({"number": 17}) == "ORD-17"
"""

Make = Callable[[str], bytes]
"""A nonce → the report that is left."""


def stocked(patch: pytest.MonkeyPatch, source: bytes, context: ValidationContext) -> Artifacts:
    """The artifacts bucket with what FetchSource leaves in it. Needs an emulated AWS."""
    patch.setenv("ARTIFACTS_BUCKET", "artifacts")
    patch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    patch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    client = boto3.client("s3")
    client.create_bucket(Bucket="artifacts")
    bucket = Artifacts(client, "artifacts")
    bucket.put(HEAL.key("source.tar.gz"), source)
    context.save(bucket, HEAL)
    return bucket


@dataclass
class Lanes:
    """Puts a report where a lane leaves it, and hands the evidence back."""

    artifacts: Artifacts
    lambda_context: Any
    tree: Tree
    context: ValidationContext
    proposal: Proposal
    _orders: dict[str, dict[str, Any]] = field(default_factory=dict)

    def judged(self, lane: str, make: Make, *, ended: str = "", code: bytes = b"0\n") -> Evidence:
        if lane == "local":
            runner = Leaves(make, ended)
            return validate(self.tree, self.proposal, self.context, "a" * 40, runner).evidence
        if lane not in self._orders:
            self._orders[lane] = self.ordered(lane)
        order = self._orders[lane]
        nonce = order["nonce"]
        if lane == "codebuild":
            self.artifacts.put(f"{order['folder']}/results/report.json", make(nonce))
            self.artifacts.put(f"{order['folder']}/results/exit", code)
        else:
            self.artifacts.put(f"{order['folder']}/report.json", make(nonce))
        self.answer(lane, order, ended)
        return Evidence.from_json(self.artifacts.get_json(HEAL.attempt_key("evidence.json")))

    def ordered(self, lane: str) -> dict[str, Any]:
        """What ValidatePatch says the first time that it is asked."""
        self.leave(lane)
        deferred = handler(STATE, self.lambda_context)
        assert deferred["verdict"] == "deferred", deferred
        order: dict[str, Any] = deferred["build" if lane == "codebuild" else "run"]
        return order

    def answer(self, lane: str, order: dict[str, Any], ended: str = "") -> dict[str, Any]:
        """What it says the second time. lane: "" for a heal that began before there were several."""
        self.leave(lane)
        part = {"build": order} if lane == "codebuild" else {"run": order}
        run = {"ended": ended, "lane": lane} if lane else {"ended": ended}
        state = {**STATE, "validation": {"verdict": "deferred", **part}, "run": run}
        told: dict[str, Any] = handler(
            {**state, "build": BUILT} if lane == "codebuild" else state, self.lambda_context
        )
        return told

    def leave(self, lane: str) -> None:
        """What the steps before leave for ValidatePatch, of an app whose patches this lane runs."""
        app = replace(self.context.app, codebuild_project=PROJECT if lane == "codebuild" else "")
        replace(self.context, app=app).save(self.artifacts, HEAL)
        self.artifacts.put_json(HEAL.attempt_key("proposal.json"), self.proposal.to_json())

    def job(self, lane: str, order: dict[str, Any]) -> bytes:
        """The job that was left for the lane."""
        if lane == "lambda":
            return self.artifacts.get(f"{order['folder']}/job.zip")
        source = self.artifacts.get(f"{order['folder']}/source.zip")
        with zipfile.ZipFile(io.BytesIO(source)) as package:
            return package.read("job.zip")


@dataclass
class Leaves:
    """A lane that leaves what it is told to."""

    make: Make
    ended: str = ""

    def run(self, job: Job) -> Ran:
        return Ran(self.make(job.nonce), "nothing held it", self.ended)


def proof(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the hash of the evidence, which says how long things took."""
    return answer | {"evidence_key": answer["evidence_key"].partition("@")[0]}


def gate(evidence: Evidence, name: str) -> GateResult:
    """The result of one gate."""
    return next(gate for gate in evidence.gates if gate.gate == name)


def proven(evidence: Evidence) -> bool:
    """Whether any gate that runs code of strangers passed."""
    return any(
        gate(evidence, name).result is Result.PASS
        for name in ("reproduces", "regression_tests", "worked_stays")
    )
