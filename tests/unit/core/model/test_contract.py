"""What every model is to the steps: each adapter, before a server that speaks its protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from pytest_httpserver import HTTPServer

from functions.core.model.bedrock import Bedrock
from functions.core.model.chat import Chat
from functions.core.model.port import LanguageModel
from functions.core.model.requests import RequestOptions
from functions.core.model.sections import PromptSection
from functions.core.model.server import ChatServer
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    ParameterRefused,
    PromptTooLong,
)
from functions.propose_patch.ask import request_for
from functions.propose_patch.prompt import Prompt

PROMPT = Prompt("the rules", (PromptSection("private words", "incident", 3),))
REQUEST = request_for("some-model", PROMPT, RequestOptions(temperature=0.5))
CALL = {"path": "a.py"}


@dataclass(frozen=True)
class Protocol:
    """How a provider is reached and answers. text, call, cut: bodies of answers; refused: of a refusal that
    says something."""

    model: Callable[[str], LanguageModel]
    text: Callable[[str], dict[str, Any]]
    call: dict[str, Any]
    cut: dict[str, Any]
    refused: Callable[[str], dict[str, Any]]


def _converse(content: list[dict[str, Any]], stop: str) -> dict[str, Any]:
    usage = {"inputTokens": 7, "outputTokens": 2, "totalTokens": 9}
    message = {"message": {"role": "assistant", "content": content}}
    return {"output": message, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}}


def _chat(message: dict[str, Any], finish: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}


def _bedrock(url: str) -> LanguageModel:
    return Bedrock(
        lambda config: boto3.client(
            "bedrock-runtime", endpoint_url=url, region_name="us-east-1", config=config
        )
    )


PROTOCOLS = {
    "Bedrock": Protocol(
        _bedrock,
        lambda text: _converse([{"text": text}], "end_turn"),
        _converse([{"toolUse": {"toolUseId": "c1", "name": "read_file", "input": CALL}}], "tool_use"),
        _converse([{"text": "half"}], "max_tokens"),
        lambda said: {"message": said},
    ),
    "a server of one's own": Protocol(
        lambda url: Chat(ChatServer(url).complete),
        lambda text: _chat({"content": text}, "stop"),
        _chat(
            {"tool_calls": [{"id": "c1", "function": {"name": "read_file", "arguments": json.dumps(CALL)}}]},
            "tool_calls",
        ),
        _chat({"content": "half"}, "length"),
        lambda said: {"error": {"message": said}},
    ),
}


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Protocol:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return PROTOCOLS[str(request.param)]


@pytest.fixture
def ask(protocol: Protocol, httpserver: HTTPServer) -> Callable[..., dict[str, Any]]:
    """Asks a server that answers with a body and a status."""

    def asks(body: dict[str, Any], status: int = 200) -> dict[str, Any]:
        httpserver.expect_request(re.compile(".*"), method="POST").respond_with_json(body, status)
        return protocol.model(httpserver.url_for("")).converse(REQUEST)

    return asks


def test_text_and_what_it_took_are_told(protocol: Protocol, ask: Callable[..., dict[str, Any]]) -> None:
    answer = ask(protocol.text("hello"))
    assert answer["output"]["message"]["content"] == [{"text": "hello"}]
    assert answer["stopReason"] == "end_turn"
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (7, 2)


def test_a_call_of_a_tool_is_an_object(protocol: Protocol, ask: Callable[..., dict[str, Any]]) -> None:
    answer = ask(protocol.call)
    assert answer["stopReason"] == "tool_use"
    (block,) = answer["output"]["message"]["content"]
    assert block == {"toolUse": {"toolUseId": "c1", "name": "read_file", "input": CALL}}


def test_an_answer_that_was_cut_off_says_so(protocol: Protocol, ask: Callable[..., dict[str, Any]]) -> None:
    assert ask(protocol.cut)["stopReason"] == "max_tokens"


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (429, "slow down", ModelThrottled),
        (500, "broken", ModelUnavailable),
        (503, "overloaded", ModelUnavailable),
        (403, "no access", ModelAccessDenied),
        (400, "something is wrong", ModelRequestInvalid),
        (400, "maximum context length is 8192 tokens", PromptTooLong),
        (400, "`temperature` is deprecated for this model.", ParameterRefused),
    ],
)
def test_each_failure_has_its_name_and_none_tells_of_the_request(
    protocol: Protocol,
    ask: Callable[..., dict[str, Any]],
    httpserver: HTTPServer,
    status: int,
    said: str,
    error: type[Exception],
) -> None:
    with pytest.raises(error, match="model some-model: .*" + said[:9]) as raised:
        ask(protocol.refused(said), status)
    assert type(raised.value) is error
    assert "private words" not in str(raised.value)
    assert len(httpserver.log) == 1, "retrying is the workflow's"


def test_nobody_there_is_a_model_that_is_unavailable(protocol: Protocol) -> None:
    with pytest.raises(ModelUnavailable, match="some-model"):
        protocol.model("http://127.0.0.1:9").converse(REQUEST)


def test_a_model_that_is_not_there_is_named(protocol: Protocol, ask: Callable[..., dict[str, Any]]) -> None:
    if protocol is PROTOCOLS["Bedrock"]:
        body: dict[str, Any] = {"message": "not there", "__type": "ResourceNotFoundException"}
    else:
        body = protocol.refused("not there")
    with pytest.raises(ModelNotFound, match="some-model"):
        ask(body, 404)


def test_a_count_is_never_worth_a_failure(protocol: Protocol) -> None:
    assert protocol.model("http://127.0.0.1:9").count(REQUEST) is None
