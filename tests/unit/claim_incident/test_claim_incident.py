"""ClaimIncident, through its Lambda entry point, against moto."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.claim_incident.handler import handler
from functions.core.errors import AppNotRegistered, IncidentNotFound
from functions.core.incident import ErrorClass, Status
from functions.core.recorder import Recorder, Sighting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

INCIDENT = "orders-v1-abc"
MINE, OTHER = "arn:execution:mine", "arn:execution:other"


@pytest.fixture
def table(incidents_table: Table, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    monkeypatch.setenv("REGISTRY_PATH", "/claim-test/apps")
    entry = {"log_groups": ["/app"], "repository": "https://github.com/shop/orders.git", "max_attempts": 4}
    boto3.client("ssm").put_parameter(Name="/claim-test/apps/orders", Value=json.dumps(entry), Type="String")
    item = {"fingerprint": "v1-abc", "status": "NEW", "error_type": "KeyError", "title": "KeyError: 'sku'"}
    incidents_table.put_item(Item={"incident_id": INCIDENT, "app": "orders", **item})
    arn = boto3.client("sns").create_topic(Name="claims")["TopicArn"]
    monkeypatch.setenv("TOPIC_ARN", arn)
    return incidents_table


@pytest.fixture
def inbox(table: Table) -> Callable[[], list[str]]:
    """What the team was sent."""
    queue = boto3.client("sqs").create_queue(QueueName="claims-inbox")["QueueUrl"]
    boto3.client("sns").subscribe(
        TopicArn=os.environ["TOPIC_ARN"],
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:123456789012:claims-inbox",
    )

    def read() -> list[str]:
        answer = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["Message"] for message in answer.get("Messages", ())]

    return read


def claim(context: Any, execution_arn: str, incident_id: str = INCIDENT) -> dict[str, Any]:
    event = {"incident_id": incident_id, "execution_arn": execution_arn, "heal_id": execution_arn[-4:]}
    return handler(event, context)


def test_a_new_incident_is_claimed_and_the_heal_gets_its_first_state(
    table: Table, lambda_context: Any
) -> None:
    assert claim(lambda_context, MINE) == {
        "claimed": True,
        "incident_id": INCIDENT,
        "app": "orders",
        "heal_id": "mine",
        "attempt": 0,
        "attempts_allowed": 4,
        "max_attempts": 4,
        "comment": "",
        "callback_decides": True,
        "second_opinion": False,
    }
    item = table.get_item(Key={"incident_id": INCIDENT})["Item"]
    assert (item["status"], item["execution_arn"]) == ("HEALING", MINE)


def test_the_same_execution_may_claim_again_and_no_other_may(table: Table, lambda_context: Any) -> None:
    first = claim(lambda_context, MINE)
    assert claim(lambda_context, MINE) == first
    assert claim(lambda_context, OTHER) == {"claimed": False, "held_back": False}
    assert table.get_item(Key={"incident_id": INCIDENT})["Item"]["execution_arn"] == MINE


def test_an_hour_has_so_many_heals_and_what_comes_beyond_waits_for_the_next(
    table: Table,
    recorder: Recorder,
    lambda_context: Any,
    inbox: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty kilobytes of forged tracebacks are 200 errors, and not 200 heals."""
    now = 1_800_000_000
    monkeypatch.setattr(time, "time", lambda: now)
    forged = [f"orders-v1-{n}" for n in range(200)]
    for name in forged:
        item: dict[str, Any] = {
            "fingerprint": name,
            "status": "NEW",
            "error_type": "KeyError",
            "title": "KeyError: @all",
        }
        item |= {"generation": 1, "occurrences": 1, "last_seen": "2027-01-15T08:00:00+00:00"}
        table.put_item(Item={"incident_id": name, "app": "orders", **item})

    answers = [claim(lambda_context, f"arn:{name}", name) for name in forged]
    again = claim(lambda_context, "arn:orders-v1-0", "orders-v1-0")

    assert [a["claimed"] for a in answers] == [True] * 20 + [False] * 180
    assert again["claimed"], "a retry counts once"
    assert all(a["held_back"] for a in answers[20:])
    held = table.get_item(Key={"incident_id": "orders-v1-150"})["Item"]
    assert (held["status"], held["held_until"]) == ("SUPPRESSED", (now // 3600 + 1) * 3600)
    (mail,) = inbox()
    assert "20 heals of orders began within this hour" in mail
    assert "[@]all" in mail

    at = "2027-01-15T08:00:01+00:00"
    sighting = Sighting(
        "orders", "v1-150", "KeyError", "t", ErrorClass.CODE, "", "", "", (), 1, at, at, "", "", b"1", True
    )
    assert recorder.record(sighting).incident.status is Status.SUPPRESSED
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert recorder.record(replace(sighting, delivery_id=b"2")).incident.status is Status.NEW
    assert recorder.record(replace(sighting, delivery_id=b"3")).incident.generation == 1
    assert claim(lambda_context, "arn:later", "orders-v1-150")["claimed"]


def test_an_incident_that_is_gone_is_named(table: Table, lambda_context: Any) -> None:
    with pytest.raises(IncidentNotFound, match="orders-gone"):
        claim(lambda_context, MINE, "orders-gone")


def test_an_app_that_is_not_registered_leaves_the_incident_unclaimed(
    table: Table, lambda_context: Any
) -> None:
    item = {"fingerprint": "f", "status": "NEW", "error_type": "KeyError", "title": "KeyError"}
    table.put_item(Item={"incident_id": "ghost-f", "app": "ghost", **item})
    with pytest.raises(AppNotRegistered):
        claim(lambda_context, MINE, "ghost-f")
    assert table.get_item(Key={"incident_id": "ghost-f"})["Item"]["status"] == "NEW"
