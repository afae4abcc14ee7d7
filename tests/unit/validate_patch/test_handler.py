"""ValidatePatch as Step Functions invokes it, over moto's S3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.core.archive import Member, members_of, pack, read
from functions.core.artifacts import Artifacts
from functions.core.evidence import Evidence
from functions.core.facts import Facts
from functions.core.heal import Heal
from functions.core.proposal import Proposal
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


def test_accepted_patch_leaves_its_bytes_and_the_evidence(
    artifacts: Artifacts, propose: Callable[..., Proposal], lambda_context: Any
) -> None:
    proposal = propose(("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\""))
    artifacts.put_json(HEAL.attempt_key("proposal.json"), proposal.to_json())

    answer = handler(STATE, lambda_context)

    patch = artifacts.get(HEAL.attempt_key("patch.diff"))
    assert answer == {
        "verdict": "accepted",
        "patch_key": HEAL.attempt_key("patch.diff"),
        "patch_sha256": hashlib.sha256(patch).hexdigest(),
        "evidence_key": HEAL.attempt_key("evidence.json"),
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

    assert handler(STATE, lambda_context) == answer, "a second run gives the same"
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
