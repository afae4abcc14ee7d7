"""RemindApprovers from its schedule on: apps, keys, topics and tables as its settings name them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.remind_approvers.handler import handler

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Inbox, Scene

ANA = "ana@shop.example"
ENTRY = {"log_groups": ["/aws/lambda/orders"], "repository": "https://github.com/shop/orders.git"}


@pytest.fixture
def late(scene: Scene, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A question in its last hours, and two letters that were held back; what is sent to people."""
    sns, ssm = boto3.client("sns"), boto3.client("ssm")
    ssm.put_parameter(Name="/self-heal/link-key", Value=scene.keys[0].decode(), Type="SecureString")
    ssm.put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(ENTRY), Type="SecureString")
    for name, value in {
        "APPROVALS_TABLE": "approvals",
        "INCIDENTS_TABLE": "incidents",
        "ARTIFACTS_BUCKET": "artifacts",
        "REGISTRY_PATH": "/self-heal/apps",
        "TOPIC_ARN": sns.create_topic(Name="notifications")["TopicArn"],
        "PERSONAL_TOPIC_ARN": sns.create_topic(Name="personal")["TopicArn"],
        "LINK_KEY_PARAMETER": "/self-heal/link-key",
        "WEBHOOKS_PATH": "/self-heal/webhooks",
        "APPROVAL_URL": "https://page.example/",
    }.items():
        monkeypatch.setenv(name, value)
    approval = scene.approval(expires_at=int(time.time()) + 3600, approvers=(ANA,))
    scene.approvals._table.update_item(
        Key={"approval_id": approval.approval_id},
        UpdateExpression="SET created_at = :then",
        ExpressionAttributeValues={":then": "2026-11-20T12:00:00+00:00"},
    )
    lines = {"KeyError\norders-1", "ValueError\norders-2"}
    scene.incidents_table.put_item(Item={"incident_id": "held#orders", "more": 2, "lines": lines})
    return lambda: sorted(message["Subject"] for message in inbox())


def test_who_is_asked_is_reminded_and_what_was_held_back_is_told(
    late: Callable[[], list[str]], lambda_context: LambdaContext
) -> None:
    done = handler({}, lambda_context)
    assert (done["reminded"], done["digested"]) == (("orders-v1-abc",), 2)
    digest, reminder = late()
    assert "2" in digest
    assert "Decide until" in reminder
