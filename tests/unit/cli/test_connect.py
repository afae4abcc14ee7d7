"""Which region the commands act in."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from infra.cli.connect import Place, connect
from infra.errors import UserError
from infra.local.run import EmbeddedRun
from infra.names import DEFAULT, Names


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


@pytest.mark.parametrize(
    ("stage", "mended_by"),
    [("", "selfheal down --forget, then: selfheal up"), ("beta", "selfheal deploy --local --stage beta")],
)
def test_an_embedded_run_whose_stack_was_destroyed_says_how_to_have_it_again(
    stage: str, mended_by: str, aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = EmbeddedRun("/nowhere", "x", {"aws": 1, "forge": 2, "model": 3})
    monkeypatch.setattr("infra.cli.connect.embedded", lambda: run)
    monkeypatch.setattr(Place, "outputs", lambda place, names: {})
    monkeypatch.setattr("infra.cli.connect.place", lambda local: Place(boto3.Session(), {}))
    monkeypatch.setattr("infra.cli.connect.stages.names", lambda: Names(stage))
    with pytest.raises(UserError, match="there is no stack") as refused:
        connect(local=True)
    assert mended_by in refused.value.next_step
