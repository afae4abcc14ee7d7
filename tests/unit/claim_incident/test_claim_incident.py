"""ClaimIncident, through its Lambda entry point, against moto."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.claim_incident.handler import handler
from functions.core.errors import AppNotRegistered, IncidentNotFound

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
    return incidents_table


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
    assert claim(lambda_context, OTHER) == {"claimed": False}
    assert table.get_item(Key={"incident_id": INCIDENT})["Item"]["execution_arn"] == MINE


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
