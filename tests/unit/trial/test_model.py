"""The models that a trial asks, by their names."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from infra.errors import UserError
from infra.local.model.completion import MODEL_ID
from infra.local.model.endpoint import RepairModel
from infra.trial.model import connect


@pytest.mark.parametrize(
    ("listed", "name"), [({"data": [{"id": "llama3"}]}, "llama3"), ({"error": "no such address"}, "default")]
)
def test_a_server_is_asked_for_the_first_model_that_it_lists(
    httpserver: HTTPServer, listed: dict[str, Any], name: str
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json(listed)
    assert connect(httpserver.url_for("/v1/"))[1] == name


def test_the_embedded_model_is_the_one_that_the_embedded_run_serves() -> None:
    with RepairModel() as served:
        assert connect("embedded")[1] == connect(served.url)[1] == MODEL_ID


@pytest.mark.parametrize("name", ["gpt", "ftp://x", "http://", "embedded:x", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="is unknown"):
        connect(name)


def test_bedrock_needs_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(UserError, match="no AWS region is set"):
        connect("bedrock")


def test_bedrock_is_asked_for_the_model_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert connect("bedrock:eu.amazon.nova-pro-v1:0")[1] == "eu.amazon.nova-pro-v1:0"
    assert connect("bedrock")[1].startswith("eu.anthropic.claude")


def test_bedrock_without_a_default_model_must_be_told_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    with pytest.raises(UserError, match="sa-east-1 has no default model"):
        connect("bedrock")
