"""AwaitApproval from the Lambda event on: settings, clients and what is returned."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.await_approval import handler as module
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.artifacts import reference
from functions.core.workflow.errors import PermanentError
from tests.fakes.channel import Channel

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Inbox, Scene


def test_the_handler_asks_for_as_long_as_the_setting_says(
    scene: Scene,
    inbox: Inbox,
    channel: Channel,
    webhooks: Webhooks,
    lambda_context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    ssm = boto3.client("ssm")
    personal = boto3.client("sns").create_topic(Name="personal")["TopicArn"]
    ssm.put_parameter(Name="/self-heal/link-key", Value=scene.keys[0].decode(), Type="SecureString")
    entry = {"log_groups": ["/aws/lambda/orders"], "repository": "https://github.com/shop/orders.git"}
    entry |= {"approvers": ["ana@shop.example"]}
    ssm.put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(entry), Type="SecureString")
    environment = {
        "APPROVALS_TABLE": "approvals",
        "INCIDENTS_TABLE": "incidents",
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_ROLE_ARN": "arn:aws:iam::123456789012:role/artifacts",
        "REGISTRY_PATH": "/self-heal/apps",
        "PERSONAL_TOPIC_ARN": personal,
        "TOPIC_ARN": boto3.client("sns").list_topics()["Topics"][0]["TopicArn"],
        "TOKEN_KEY_ARN": key,
        "LINK_KEY_PARAMETER": "/self-heal/link-key",
        "WEBHOOKS_PATH": "/self-heal/webhooks",
        "APPROVAL_URL": "https://page.example/",
        "APPROVAL_TTL_SECONDS": "600",
        "IDENTITY_FROM": "link",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    digest = scene.write_attempt(1)

    def written(name: str) -> str:
        key = f"orders-v1-abc/heal-1/1/{name}"
        return reference(key, scene.artifacts.get(key))

    event = {
        "incident_id": "orders-v1-abc",
        "app": "orders",
        "heal_id": "heal-1",
        "attempt": 1,
        "source": {"key": reference("source.tar.gz", b""), "base_sha": "b" * 40},
        "proposal": {
            "key": written("proposal.json"),
            "title": "Refuse unknown countries",
            "reason": "rate_for looks up any country.",
            "confidence": 1,
        },
        "validation": {
            "patch_sha256": digest,
            "patch_key": written("patch.diff"),
            "evidence_key": written("evidence.json"),
        },
        "task_token": "token",
        "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1",
        "redrive_count": 0,
    }
    began = int(time.time())
    result = module.handler(event, lambda_context)
    assert result["status"] == "PENDING"
    assert began <= result["expires_at"] - 600 <= time.time()
    assert len(channel.posted) == 2, "Slack and Teams are told"
    assert len(inbox()) == 1


def test_a_missing_setting_is_named(
    aws: None, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APPROVAL_TTL_SECONDS", raising=False)
    with pytest.raises(PermanentError, match="APPROVAL_TTL_SECONDS"):
        module.handler({}, lambda_context)
