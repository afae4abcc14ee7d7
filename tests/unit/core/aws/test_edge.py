"""The handler wrapper: what it logs and counts, what it keeps to itself, and what it lets through."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from functions.core.aws import telemetry
from functions.core.aws.deployment import Deployment
from functions.core.aws.edge import event
from functions.core.aws.names import PING
from functions.core.workflow.errors import ForgeUnavailable, HealingStopped
from infra.catalog import FUNCTIONS, SIGN_IN, STEPS

if TYPE_CHECKING:
    from mypy_boto3_ssm.client import SSMClient

    from tests.fakes.emulated import LambdaContext

STATE = {
    "incident_id": "orders-v1-abc",
    "app": "orders",
    "heal_id": "h1",
    "attempt": 2,
    "comment": "private words",
}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_result_passes_through_with_one_log_line_and_one_metric(
    lambda_context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        return {"outcome": "proposed", "title": "secret title", "seen": event["attempt"]}

    assert handler(STATE, lambda_context) == {"outcome": "proposed", "title": "secret title", "seen": 2}

    log, metric = sorted(lines(capsys), key=lambda line: "_aws" in line)
    assert (log["message"], log["outcome"]) == ("step finished", "proposed")
    assert (log["incident_id"], log["heal_id"], log["attempt"]) == ("orders-v1-abc", "h1", 2)
    assert log["function_request_id"] == lambda_context.aws_request_id
    assert metric["Outcomes"] == [1.0]
    assert metric["outcome"] == "proposed"
    assert "private words" not in str((log, metric))
    assert "secret title" not in str((log, metric))


def test_an_exception_reaches_the_runtime_as_its_own_class(
    lambda_context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        raise ForgeUnavailable("the forge said: hunter2")

    with pytest.raises(ForgeUnavailable) as raised:
        handler(STATE, lambda_context)

    assert type(raised.value).__name__ == "ForgeUnavailable"
    log, metric = sorted(lines(capsys), key=lambda line: "_aws" in line)
    assert (log["level"], log["message"], log["error"]) == ("ERROR", "step failed", "ForgeUnavailable")
    assert metric["Failures"] == [1.0]
    assert "hunter2" not in str((log, metric))


def test_one_invocation_leaves_nothing_in_the_next_ones_log(
    lambda_context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        return {}

    handler(STATE, lambda_context)
    capsys.readouterr()
    handler({"app": "billing"}, lambda_context)
    log = next(line for line in lines(capsys) if "_aws" not in line)
    assert log["app"] == "billing"
    assert "incident_id" not in log


@pytest.mark.parametrize("folder", [spec.folder for spec in (*FUNCTIONS, SIGN_IN)])
def test_every_function_answers_a_ping_and_does_nothing(
    folder: str,
    lambda_context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without settings, credentials or a network: whatever it did beyond answering would fail here."""
    monkeypatch.setattr("os.environ", {})
    handler = import_module(f"functions.{folder}.handler").handler

    assert handler(PING, lambda_context) == {"outcome": "awake"}
    assert capsys.readouterr().out == ""


def test_a_request_that_looks_like_a_ping_is_a_request(lambda_context: LambdaContext) -> None:
    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        return {"outcome": "handled"}

    request = {"version": "2.0", "body": json.dumps(PING), **PING}

    assert handler(request, lambda_context) == {"outcome": "handled"}


def test_numbers_are_measured_by_name_alone_and_say_what_they_are_of_as_properties(
    lambda_context: LambdaContext, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "SelfHealingCode-beta")

    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        return {"outcome": "proposed", "cost_usd": 0.25, "questions_waiting": 0}

    handler(STATE, lambda_context)

    counted = [line for line in lines(capsys) if "_aws" in line]
    values = {
        rule["Metrics"][0]["Name"]: line[rule["Metrics"][0]["Name"]]
        for line in counted
        for rule in line["_aws"]["CloudWatchMetrics"]
    }
    assert values == {"Outcomes": [1.0], "ModelSpend": [0.25], "QuestionsWaiting": [0.0]}
    for line in counted:
        (rule,) = line["_aws"]["CloudWatchMetrics"]
        assert rule["Namespace"] == "SelfHealingCode-beta"
        assert set(rule["Dimensions"][0]) <= {"service", "outcome"}
        assert (line["fingerprint"], line["incident_id"], line["app"]) == (
            "v1-abc",
            "orders-v1-abc",
            "orders",
        )


def test_an_outcome_that_says_nothing_is_not_paid_for(
    lambda_context: LambdaContext, capsys: pytest.CaptureFixture[str]
) -> None:
    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        return {"key": "k"}

    handler(STATE, lambda_context)

    assert [line for line in lines(capsys) if "_aws" in line] == []


def test_a_trace_says_what_it_is_about(
    lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "fetch_source")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "self-heal-beta-fetch-source")
    monkeypatch.setattr(telemetry.tracer(), "put_annotation", said.__setitem__)

    @event
    def handler(event: dict[str, Any], _: Deployment) -> dict[str, Any]:
        raise ForgeUnavailable("down")

    with pytest.raises(ForgeUnavailable):
        handler(STATE, lambda_context)

    assert said["failed"] is True
    assert (said["error"], said["deployment"]) == ("ForgeUnavailable", "self-heal-beta")
    assert (said["incident_id"], said["fingerprint"]) == ("orders-v1-abc", "v1-abc")


# The one before all others holds what comes back; the last one writes down what has happened.
SWITCHED = [spec.folder for spec in STEPS if spec.folder not in ("claim_incident", "record_outcome")]


@pytest.fixture
def switch(aws: None, monkeypatch: pytest.MonkeyPatch) -> SSMClient:
    monkeypatch.setenv("SWITCH_PARAMETER", "/edge-test/stopped")
    return boto3.client("ssm")


@pytest.mark.parametrize("folder", SWITCHED)
def test_a_step_does_nothing_while_all_healing_is_stopped(
    folder: str, switch: SSMClient, lambda_context: LambdaContext
) -> None:
    switch.put_parameter(Name="/edge-test/stopped", Value="{}", Type="String")
    with pytest.raises(HealingStopped):
        import_module(f"functions.{folder}.handler").handler(STATE, lambda_context)


@pytest.mark.parametrize("folder", SWITCHED)
def test_a_step_does_nothing_without_the_permission_to_see_whether_healing_is_stopped(
    folder: str, switch: SSMClient, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(_: Any, operation: str, given: dict[str, Any]) -> None:
        asked.append((operation, given["Name"]))
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        import_module(f"functions.{folder}.handler").handler(STATE, lambda_context)
    assert asked == [("GetParameter", "/edge-test/stopped")]
