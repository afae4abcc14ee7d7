"""ReviewPatch as Step Functions invokes it: the app's own reviewer, wherever that answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from pytest_httpserver import HTTPServer

from functions.core.apps.registry import bound
from functions.core.workflow.artifacts import Artifacts
from functions.review_patch.handler import handler
from tests.fakes.bedrock import BedrockDouble
from tests.fakes.proposing import STATE, Deployed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.fakes.emulated import LambdaContext

AGREES = {"opinion": "agrees", "reasons": ["NZ has a rate."], "would_check": ["NZ orders"]}
MODEL = "us.mistral.pixtral-large-2502-v1:0"
Review = Callable[..., dict[str, Any]]


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> BedrockDouble:
    double = BedrockDouble.at(httpserver)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
    double.script([[{"toolUse": {"toolUseId": "t1", "name": "give_opinion", "input": AGREES}}]])
    return double


@pytest.fixture
def deployed(incidents_table: Table, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    monkeypatch.setenv("REGISTRY_PATH", "/reviewed/apps")
    return Deployed(incidents_table, "/reviewed/apps")


@pytest.fixture
def review(deployed: Deployed, lambda_context: LambdaContext) -> Review:
    """The opinion on a patch that is proven, by the reviewer that the entry names."""
    artifacts = Artifacts(boto3.client("s3"), "artifacts")
    proven = {
        "patch_key": artifacts.put("orders-f/h1/1/patch.diff", b"--- a/rates.py\n+++ b/rates.py\n"),
        "evidence_key": artifacts.put_json("orders-f/h1/1/evidence.json", {"gates": []}),
    }
    artifacts.put_json("orders-f/h1/1/outcome.json", {"cost_usd": 0.01})

    def run(**entry: Any) -> dict[str, Any]:
        deployed.register(**entry)
        return handler({**STATE, "validation": {"verdict": "accepted", **proven}}, lambda_context)

    return run


@pytest.mark.parametrize("kind", ["default-prompt-router", "prompt-router"])
def test_a_router_of_the_accounts_is_asked(bedrock: BedrockDouble, review: Review, kind: str) -> None:
    arn = f"arn:aws:bedrock:us-east-1:123456789012:{kind}/abcdefghijkl"
    bedrock.profiles[arn] = MODEL
    assert review(review_model=arn)["opinion"] == "agrees"


def test_the_apps_guardrail_is_asked_for(bedrock: BedrockDouble, review: Review) -> None:
    assert review(review_model=MODEL, guardrail="gr-1:3")["opinion"] == "agrees"
    ((_, request),) = bedrock.requests
    assert request["guardrailConfig"] == {"guardrailIdentifier": "gr-1", "guardrailVersion": "3"}


def test_a_server_of_the_apps_own_is_asked_with_its_key(
    deployed: Deployed, review: Review, httpserver: HTTPServer
) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "give_opinion", "arguments": json.dumps(AGREES)},
    }
    body = {"choices": [{"message": {"tool_calls": [call]}}], "usage": {"prompt_tokens": 9}}
    httpserver.expect_request(
        "/v1/chat/completions", headers={"Authorization": "Bearer k-1"}
    ).respond_with_json(body)
    url = httpserver.url_for("")
    deployed.keep("model/orders", bound("k-1", url.removeprefix("http://").rstrip("/")))
    entry = {"model": "qwen", "model_url": url, "model_key": True, "prices": {"qwen": [1.0, 2.0]}}
    assert review(review_model="qwen", **entry)["opinion"] == "agrees"
