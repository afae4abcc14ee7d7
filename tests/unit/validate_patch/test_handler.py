"""ValidatePatch as Step Functions invokes it, over moto's S3."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.core.archive import Member, members_of, pack, read
from functions.core.artifacts import Artifacts, reference
from functions.core.evidence import Build, Evidence
from functions.core.facts import Facts
from functions.core.heal import Heal
from functions.core.proposal import Proposal
from functions.validate_patch.codebuild import bundle
from functions.validate_patch.handler import handler

HEAL = Heal("shop-1f3c", "shop", "heal-1", 2)
STATE = {
    "incident_id": HEAL.incident_id,
    "app": HEAL.app,
    "heal_id": HEAL.heal_id,
    "attempt": HEAL.attempt,
    "source": {"key": HEAL.key("source.tar.gz"), "base_sha": "a" * 40},
    "proposal": {"outcome": "proposed", "key": HEAL.attempt_key("proposal.json")},
}


@pytest.fixture
def artifacts(
    aws: None, monkeypatch: pytest.MonkeyPatch, shop_archive: bytes, incidents: dict[str, Facts]
) -> Artifacts:
    """The artifacts bucket with what FetchSource leaves in it."""
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    client = boto3.client("s3")
    client.create_bucket(Bucket="artifacts")
    bucket = Artifacts(client, "artifacts")
    bucket.put(HEAL.key("source.tar.gz"), shop_archive)
    incidents["label"].save(bucket, HEAL)
    return bucket


@pytest.fixture(scope="session")
def shop_archive() -> bytes:
    """The shop as FetchSource packs it."""
    root = Path(__file__).parents[2] / "data" / "validate" / "shop"
    return pack(member for member in members_of(root) if "__pycache__" not in member.path)


def proof(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the hash of the evidence, which says how long things took."""
    return answer | {"evidence_key": answer["evidence_key"].partition("@")[0]}


def test_accepted_patch_leaves_its_bytes_and_the_evidence(
    artifacts: Artifacts, propose: Callable[..., Proposal], lambda_context: Any
) -> None:
    proposal = propose(("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\""))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), proposal.to_json())

    answer = handler(STATE, lambda_context)

    patch = artifacts.get(HEAL.attempt_key("patch.diff"))
    assert answer == {
        "verdict": "accepted",
        "patch_key": reference(HEAL.attempt_key("patch.diff"), patch),
        "patch_sha256": hashlib.sha256(patch).hexdigest(),
        "evidence_key": reference(key := HEAL.attempt_key("evidence.json"), artifacts.get(key)),
        "reason": "accepted: every gate passed",
        "proven": True,
        "findings": 0,
    }
    assert b"+++ b/tests/test_selfheal_1f3c.py\n" in patch
    evidence = Evidence.from_json(artifacts.get_json(HEAL.attempt_key("evidence.json")))
    assert evidence.accepted
    assert (evidence.patch_sha256, evidence.base_sha) == (answer["patch_sha256"], "a" * 40)
    names = [gate.gate for gate in evidence.gates]
    assert names == [
        "applies",
        "in_lane",
        "parses",
        "honest",
        "clean",
        "reproduces",
        "breaks_nothing",
        "nothing_extra",
        "formatting",
    ]
    assert artifacts.get_json(HEAL.attempt_key("findings.json")) == {"findings": []}

    assert proof(handler(STATE, lambda_context)) == proof(answer), "a second run gives the same"
    assert artifacts.get(HEAL.attempt_key("patch.diff")) == patch


def test_rejected_patch_leaves_its_findings_for_the_next_attempt(
    artifacts: Artifacts, propose: Callable[..., Proposal], lambda_context: Any
) -> None:
    silenced = propose(("shop/reports.py", 'return "ORD-" + order["number"]', 'return ""'))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), silenced.to_json())

    answer = handler(STATE, lambda_context)

    assert (answer["verdict"], answer["proven"]) == ("rejected", False)
    findings = artifacts.get_json(HEAL.attempt_key("findings.json"))["findings"]
    assert len(findings) == answer["findings"] > 0
    assert answer["reason"] == findings[0]
    assert findings[0].startswith("honest: silent_return: shop/reports.py:33: ")


def test_patch_that_does_not_apply_has_no_hash(
    artifacts: Artifacts, propose: Callable[..., Proposal], lambda_context: Any
) -> None:
    artifacts.put_json(HEAL.attempt_key("proposal.json"), propose(("nowhere.py", "x", "y")).to_json())
    answer = handler(STATE, lambda_context)
    assert (answer["verdict"], answer["patch_sha256"]) == ("rejected", "")
    assert artifacts.get(HEAL.attempt_key("patch.diff")) == b""


def test_installed_dependencies_are_there_for_the_tests_and_missing_ones_are_said(
    artifacts: Artifacts,
    shop_archive: bytes,
    propose: Callable[..., Proposal],
    lambda_context: Any,
) -> None:
    importing = Member(
        "tests/test_padded.py", b"import leftpad\n\n\ndef test_padded():\n    assert leftpad.PADDED\n"
    )
    artifacts.put(HEAL.key("source.tar.gz"), pack([*read(shop_archive), importing]))
    edit = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")
    artifacts.put_json(HEAL.attempt_key("proposal.json"), propose(edit).to_json())
    artifacts.put("dependencies/1.tar.gz", pack([Member("leftpad.py", b"PADDED = True\n")]))

    def detail(key: str, reason: str) -> str:
        dependencies = {"key": key, "reason": reason, "packages": 1}
        assert handler({**STATE, "dependencies": dependencies}, lambda_context)["verdict"] == "accepted"
        evidence = Evidence.from_json(artifacts.get_json(HEAL.attempt_key("evidence.json")))
        return next(gate.detail for gate in evidence.gates if gate.gate == "breaks_nothing")

    assert detail("dependencies/1.tar.gz", "").startswith(
        "14 tests passed before the patch and pass after it"
    )
    assert "not run: the repository's dependencies are not installed: no wheel" in detail("", "no wheel")


PROJECT = "self-heal-shop"
BUILT = {"arn": "arn:aws:codebuild:eu-central-1:1:build/self-heal-shop:5d", "log_url": "https://console/log"}
RIGHT = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")


@pytest.fixture
def in_codebuild(artifacts: Artifacts, incidents: dict[str, Facts]) -> Artifacts:
    """The artifacts of a heal whose app names a CodeBuild project."""
    facts = incidents["label"]
    app = replace(facts.app, codebuild_project=PROJECT, test_command=("true",))
    replace(facts, app=app).save(artifacts, HEAL)
    return artifacts


def run_build(artifacts: Artifacts, order: dict[str, str], folder: Path) -> None:
    """What CodeBuild does with an order."""
    with zipfile.ZipFile(io.BytesIO(artifacts.get(f"{order['folder']}/source.zip"))) as package:
        package.extractall(folder)
    command = bundle.BUILDSPEC["phases"]["build"]["commands"][0]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(["sh", "-c", command], cwd=folder, env={"PATH": path}, check=True)
    for name in ("report.json", "exit"):
        artifacts.put(f"{order['folder']}/results/{name}", (folder / "results" / name).read_bytes())


def test_a_patch_of_an_app_with_a_project_is_judged_by_what_a_build_ran(
    in_codebuild: Artifacts, propose: Callable[..., Proposal], lambda_context: Any, tmp_path: Path
) -> None:
    in_codebuild.put_json(HEAL.attempt_key("proposal.json"), propose(RIGHT).to_json())
    rejected = {"verdict": "rejected", "reason": "of an earlier attempt"}

    deferred = handler({**STATE, "validation": rejected}, lambda_context)

    assert deferred["verdict"] == "deferred"
    order = deferred["build"]
    assert (order["project"], order["bucket"]) == (PROJECT, "artifacts")
    assert order["folder"].startswith(f"builds/{PROJECT}/heal-1/2-")
    again = handler({**STATE, "validation": rejected}, lambda_context)["build"]
    assert again["folder"] != order["folder"], "a build's folder cannot be guessed"

    run_build(in_codebuild, order, tmp_path)
    answer = handler({**STATE, "validation": deferred, "build": BUILT}, lambda_context)

    assert (answer["verdict"], answer["proven"]) == ("accepted", False)
    evidence = Evidence.from_json(in_codebuild.get_json(HEAL.attempt_key("evidence.json")))
    assert evidence.build == Build(PROJECT, BUILT["arn"], BUILT["log_url"])
    passed = next(gate for gate in evidence.gates if gate.gate == "breaks_nothing")
    assert passed.detail.startswith("true succeeds before and after the patch (CodeBuild project")
    again = handler({**STATE, "validation": deferred, "build": BUILT}, lambda_context)
    assert proof(again) == proof(answer)


def test_a_build_that_left_nothing_is_a_rejection_and_never_a_second_build(
    in_codebuild: Artifacts, propose: Callable[..., Proposal], lambda_context: Any
) -> None:
    in_codebuild.put_json(HEAL.attempt_key("proposal.json"), propose(RIGHT).to_json())
    deferred = handler(STATE, lambda_context)
    answer = handler({**STATE, "validation": deferred, "build": BUILT}, lambda_context)
    assert answer["verdict"] == "rejected"
    assert "the build ended before it could report" in answer["reason"]


def test_what_reading_disproves_is_not_built(
    in_codebuild: Artifacts, propose: Callable[..., Proposal], lambda_context: Any
) -> None:
    silenced = propose(("shop/reports.py", 'return "ORD-" + order["number"]', 'return ""'))
    in_codebuild.put_json(HEAL.attempt_key("proposal.json"), silenced.to_json())
    assert handler(STATE, lambda_context)["verdict"] == "rejected"
