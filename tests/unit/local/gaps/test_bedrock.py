"""Converse in front of a model endpoint that fails, or is cut short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from infra.local.emulator import Emulator
from tests.fakes.web import answered_by, as_json
from tests.unit.local.gaps.bench import MiniStackAlone

pytestmark = pytest.mark.embedded

MODEL = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"


SCHEMA = {"properties": {"maxLength": {"type": "string", "maxLength": 8000}}}


LOOKED = [
    {"role": "user", "content": [{"text": "hello"}]},
    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "say", "input": {}}}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "said"}]}}]},
]
"""A model that has called a tool, and said nothing beside."""


@dataclass
class Endpoint:
    """Answers every request with the same status and choice; keeps the last request."""

    server: HTTPServer
    status: int = 200
    choice: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def answer(self, request: Request) -> Response:
        self.request = request.json
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return as_json({"choices": [self.choice], "usage": usage}, self.status)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A server of its own, which a test ends."""
    with HTTPServer("127.0.0.1", threaded=True) as server:
        made = Endpoint(server)
        made.url = answered_by(server, made.answer)
        yield made


def converse(emulator: Emulator, messages: Any = LOOKED[:1]) -> Any:
    client = emulator.session().client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))
    return client, lambda: client.converse(
        modelId=MODEL,
        messages=messages,
        inferenceConfig={"maxTokens": 9},
        toolConfig={"tools": [{"toolSpec": {"name": "say", "inputSchema": {"json": SCHEMA}}}]},
    )


def said(text: str, reason: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "finish_reason": reason}


def test_ministack_answers_for_an_endpoint_that_refuses(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.status = 503
    endpoint.choice = said("", "stop")
    with MiniStackAlone(tmp_path, bedrock_url=endpoint.url) as emulator:
        assert converse(emulator)[1]()["stopReason"] == "end_turn"
        endpoint.status = 200
        endpoint.choice = said("half an ans", "length")
        assert converse(emulator)[1]()["stopReason"] == "end_turn"
        converse(emulator, LOOKED)[1]()
        assert endpoint.request["messages"][1]["content"] is None


def test_converse_tells_what_the_endpoint_did(endpoint: Endpoint, tmp_path: Path) -> None:
    with Emulator(tmp_path, bedrock_url=endpoint.url) as emulator:
        client, ask = converse(emulator)
        endpoint.choice = said("hi", "stop")
        answer = ask()
        assert answer["output"]["message"]["content"] == [{"text": "hi"}]
        assert (answer["stopReason"], answer["usage"]["inputTokens"]) == ("end_turn", 7)
        assert endpoint.request["max_tokens"] == 9
        (tool,) = endpoint.request["tools"]
        assert tool["function"]["parameters"] == {"properties": {"maxLength": {"type": "string"}}}

        endpoint.choice = said("half an ans", "length")
        assert ask()["stopReason"] == "max_tokens"

        for status, name in [
            (429, "ThrottlingException"),
            (400, "ValidationException"),
            (500, "InternalServerException"),
            (503, "ServiceUnavailableException"),
        ]:
            endpoint.status = status
            with pytest.raises(getattr(client.exceptions, name)):
                ask()

        endpoint.status = 200
        converse(emulator, LOOKED)[1]()
        call = {"id": "c1", "type": "function", "function": {"name": "say", "arguments": "{}"}}
        assert endpoint.request["messages"][1] == {"role": "assistant", "content": "", "tool_calls": [call]}

        endpoint.server.stop()
        with pytest.raises(client.exceptions.ServiceUnavailableException):
            ask()
