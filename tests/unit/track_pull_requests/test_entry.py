"""TrackPullRequests as its schedule invokes it: registry, forge, and what the function says of itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.core.apps.registry import bound
from functions.core.incidents.incident import Status
from functions.core.incidents.table import Incidents
from functions.track_pull_requests.handler import handler

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Hosted


@pytest.fixture
def incidents(hosted: Hosted, incidents_table: Table, monkeypatch: pytest.MonkeyPatch) -> Incidents:
    """An app as it is registered, whose pull request is merged."""
    ssm = boto3.client("ssm")
    entry = hosted.app.to_json() | {"revision_from_environment": True}
    ssm.put_parameter(Name="/tracked/apps/orders", Value=json.dumps(entry), Type="SecureString")
    token = bound(hosted.token, hosted.app.host)
    ssm.put_parameter(Name="/tracked/credentials/orders", Value=token, Type="SecureString")
    monkeypatch.setenv("REGISTRY_PATH", "/tracked/apps")
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    hosted.branch("self-heal/x")
    pull = hosted.github.create_pull(base="main", head="self-heal/x", title="Fix", body="")
    incidents_table.put_item(
        Item={
            "incident_id": "orders-f",
            "fingerprint": "f",
            "app": "orders",
            "status": "PR_OPEN",
            "error_type": "KeyError",
            "title": "KeyError",
            "last_seen": "2026-11-20T12:00:00.000+00:00",
            "log_group": "/aws/lambda/orders",
            "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:self-heal:h1",
            "pull_request_url": pull.html_url,
        }
    )
    pull.merge()
    return Incidents(incidents_table)


def test_what_is_merged_is_told_from_what_runs_by_the_functions_variable(
    incidents: Incidents, lambda_context: LambdaContext
) -> None:
    assert handler({}, lambda_context)["merged"] == ("orders-f",)
    merge = incidents.get("orders-f").merge_sha
    role = boto3.client("iam").create_role(RoleName="orders", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    boto3.client("lambda").create_function(
        FunctionName="orders",
        Role=role,
        Runtime="python3.13",
        Handler="rates.handler",
        Code={"ZipFile": b"rates"},
        Tags={"self-heal:environment": "readable"},
        Environment={"Variables": {"GIT_SHA": merge}},
    )

    handler({}, lambda_context)

    incident = incidents.get("orders-f")
    assert incident.status is Status.MERGED
    assert incident.fix_runs_why == f"variable GIT_SHA of function orders names {merge}, which has the merge"
