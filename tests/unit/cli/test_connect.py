"""Which region the commands act in."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from infra.cli.connect import connect
from infra.names import DEFAULT


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
    ids=str,
)
def test_the_commands_act_where_the_environment_says(
    environment: dict[str, str], region: str, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 by itself would not look at AWS_REGION."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked: list[str] = []

    class Session(boto3.Session):
        def client(self, name: str) -> object:  # type: ignore[override]  # the one use of it here
            client = super().client(name)  # type: ignore[call-overload]
            asked.append(client.meta.region_name)
            stub = Stubber(client)
            stack = {"StackName": DEFAULT.stack, "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
            outputs = [{"OutputKey": "IncidentsTable", "OutputValue": "incidents"}]
            stub.add_response("describe_stacks", {"Stacks": [{**stack, "Outputs": outputs}]})
            stub.activate()
            return client

    monkeypatch.setattr("infra.cli.connect.boto3.Session", Session)

    connect(local=False)

    assert asked == [region]
