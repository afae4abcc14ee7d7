"""From an approval on record to a pull request, through the Lambda entry points of the last two steps."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.commit_patch.handler import handler as commit_patch
from functions.core.approval.approvals import ApprovalStatus
from functions.core.apps.registry import bound
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.scoped import _credentials
from functions.create_pull_request.handler import handler as create_pull_request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Hosted

PATCH = b"""diff --git a/rates.py b/rates.py
--- a/rates.py
+++ b/rates.py
@@ -2,4 +2,4 @@


 def rate(country):
-    return RATES[country]
+    return RATES.get(country)
"""
HEAL = "orders-f/h1"
ANA = "ana@shop.example"


@pytest.fixture
def approved(
    hosted: Hosted, incidents_table: Table, approvals_table: Table, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Everything as it is when somebody has approved: the state in which CommitPatch is entered."""
    ssm, s3 = boto3.client("ssm"), boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
    entry = json.dumps(hosted.app.to_json() | {"approvers": [ANA]})
    ssm.put_parameter(Name="/entry/apps/orders", Value=entry, Type="SecureString")
    token = bound(hosted.token, hosted.app.host)
    ssm.put_parameter(Name="/entry/credentials/orders", Value=token, Type="SecureString")
    artifacts, sha256 = Artifacts(s3, "artifacts"), hashlib.sha256(PATCH).hexdigest()
    proposal = {"root_cause": "No rate.", "title": "Answer none", "explanation": "As said.", "edits": []}
    keys = {
        "patch_key": artifacts.put(f"{HEAL}/1/patch.diff", PATCH),
        "evidence_key": artifacts.put_json(f"{HEAL}/1/evidence.json", {"gates": []}),
        "proposal_key": artifacts.put_json(f"{HEAL}/1/proposal.json", proposal | {"confidence": 0.9}),
    }
    key = {"app": "orders", "incident_id": "orders-f", "heal_id": "h1", "execution_arn": "arn:h1"}
    asked = {"patch_sha256": sha256, "base_sha": hosted.base_sha, "approvers": [ANA], "expires_at": 0}
    record: dict[str, Any] = key | asked | keys | {"approval_id": "a", "attempt": 1, "redrive_count": 0}
    decided = {"decision": "approve", "by": ANA, "decided_at": "2026-11-20T12:00:00+00:00"}
    approvals_table.put_item(Item=record | decided | {"status": ApprovalStatus.DELIVERED})
    leads = {"status": "HEALING", "execution_arn": "arn:h1", "joined": ["orders-g"], "approval_id": "a"}
    follows = {"status": "JOINED", "joined_to": "orders-f"}
    more: dict[str, Any]
    for number, more in (("f", leads), ("g", follows)):
        item: dict[str, Any] = {
            "fingerprint": number,
            "error_type": "KeyError",
            "title": "KeyError: 'NZ'",
            "app": "orders",
        }
        incidents_table.put_item(Item=item | {"incident_id": f"orders-{number}"} | more)
    for name, value in {
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_ROLE_ARN": "arn:aws:iam::123456789012:role/artifacts",
        "INCIDENTS_TABLE": incidents_table.name,
        "APPROVALS_TABLE": approvals_table.name,
        "REGISTRY_PATH": "/entry/apps",
    }.items():
        monkeypatch.setenv(name, value)
    return key | {
        "attempt": 1,
        "source": {"base_sha": hosted.base_sha},
        "proposal": {"key": keys["proposal_key"]},
        "validation": {"patch_sha256": sha256} | {name: keys[name] for name in ("patch_key", "evidence_key")},
        "decision": decided | {"approval_id": "a", "patch_sha256": sha256, "base_sha": hosted.base_sha},
    }


def test_what_is_approved_on_record_becomes_a_commit_and_a_pull_request(
    hosted: Hosted, approved: dict[str, Any], lambda_context: LambdaContext
) -> None:
    made = commit_patch(approved, lambda_context)
    _credentials.cache_clear()  # each step is a function of its own
    opened = create_pull_request(approved | {"commit": made}, lambda_context)
    (pull,) = hosted.pulls()
    assert (pull.number, pull.head.sha) == (opened["number"], made["sha"])
    assert "orders-g" in pull.body


def test_who_joined_after_the_proof_is_written_down_for_the_next_one(
    approved: dict[str, Any], lambda_context: LambdaContext
) -> None:
    made = commit_patch(approved | {"may_prove": True}, lambda_context)
    assert made["late"]["joined_key"].startswith(f"{HEAL}/1/joined.json")
    assert not made["sha"]
