"""Converse in front of a model endpoint that fails, or is cut short."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config

from infra.local.emulator import Emulator

pytestmark = pytest.mark.embedded

MODEL = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"


SCHEMA = {"properties": {"maxLength": {"type": "string", "maxLength": 8000}}}


LOOKED = [
    {"role": "user", "content": [{"text": "hello"}]},
    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "say", "input": {}}}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "said"}]}}]},
]
"""A model that has called a tool, and said nothing beside."""


class Endpoint(ThreadingHTTPServer):
    """Answers every request with the same status and choice; keeps the last request."""

    status = 200
    choice: dict[str, Any]
    request: dict[str, Any]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        body = json.dumps({"choices": [self.server.choice], "usage": usage}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


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


def test_ministack_answers_for_an_endpoint_that_refuses(
    endpoint: Endpoint, alone: Any, tmp_path: Any
) -> None:
    endpoint.status = 503
    endpoint.choice = said("", "stop")
    with alone(tmp_path, bedrock_url=endpoint.url) as emulator:
        assert converse(emulator)[1]()["stopReason"] == "end_turn"
        endpoint.status = 200
        endpoint.choice = said("half an ans", "length")
        assert converse(emulator)[1]()["stopReason"] == "end_turn"
        converse(emulator, LOOKED)[1]()
        assert endpoint.request["messages"][1]["content"] is None


def test_converse_tells_what_the_endpoint_did(endpoint: Endpoint, tmp_path: Any) -> None:
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

        endpoint.shutdown()
        endpoint.server_close()
        with pytest.raises(client.exceptions.ServiceUnavailableException):
            ask()
