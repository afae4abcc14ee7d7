"""Converse spoken to OpenAI-compatible servers, and their failures by name."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.core.model import server as server_module
from functions.core.model.chat import Chat, ChatRefused
from functions.core.model.requests import RequestOptions
from functions.core.model.sections import PromptSection
from functions.core.model.server import ChatServer
from functions.core.model.time_left import TimeLeft
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
from tests.fakes.web import answered_by, as_json

PROMPT = Prompt("the rules", (PromptSection("the incident", "incident", 3),))


@dataclass
class Served:
    """Answers what it is told to; remembers what it was sent."""

    url: str = ""
    status: int = 200
    message: Any = field(default_factory=lambda: {"content": "hello"})
    said: Any = None
    finish: str | None = "stop"
    models: Any = field(default_factory=lambda: {"data": [{"id": "llama3"}]})
    location: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@pytest.fixture
def server(httpserver: HTTPServer) -> Served:
    state = Served()

    def answer(request: Request) -> Response:
        headers = {"Location": state.location} if state.location else {}
        if request.method == "GET":
            return as_json(state.models, headers=headers)
        state.keys.append(request.headers.get("Authorization", ""))
        state.requests.append(request.json)
        choice = {"message": state.message, "finish_reason": state.finish}
        usage = {"prompt_tokens": 7, "completion_tokens": 2}
        return as_json(state.said or {"choices": [choice], "usage": usage}, state.status, headers)

    state.url = answered_by(httpserver, answer)
    return state


def ask(server: Served, key: str = "", **changes: Any) -> dict[str, Any]:
    return Chat(ChatServer(server.url, key).complete).converse(request_for("llama3", PROMPT) | changes)


def test_the_request_is_an_openai_chat_with_the_models_own_name(server: Served) -> None:
    ask(server)
    (sent,) = server.requests
    assert sent["model"] == "llama3"
    assert sent["messages"] == [
        {"role": "system", "content": "the rules"},
        {"role": "user", "content": "the incident"},
    ]
    assert [tool["function"]["name"] for tool in sent["tools"]][:2] == ["propose_patch", "abstain"]
    assert "maxLength" not in json.dumps(sent["tools"]), "a server that makes a grammar of it dies"
    assert "temperature" not in sent
    assert sent["stream"] is False


def test_a_turn_that_only_calls_has_an_empty_content(server: Served) -> None:
    """Null or none are OpenAI's words for it, too, and llama-cpp-python's server fails at both."""
    call = {"toolUse": {"toolUseId": "c1", "name": "read_file", "input": {"path": "a.py"}}}
    result = {"toolResult": {"toolUseId": "c1", "content": [{"text": "1 a"}]}}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    ask(server, messages=[{"role": "user", "content": [{"text": "the incident"}]}, *turns])
    assert server.requests[0]["messages"][2]["content"] == ""


def test_a_tool_call_comes_back_as_converse_says_it(server: Served) -> None:
    function = {"name": "abstain", "arguments": '{"class": "data"}'}
    server.message = {"content": None, "tool_calls": [{"id": "c9", "type": "function", "function": function}]}
    answer = ask(server)
    assert answer["stopReason"] == "tool_use"
    assert answer["output"]["message"]["content"] == [
        {"toolUse": {"toolUseId": "c9", "name": "abstain", "input": {"class": "data"}}}
    ]
    assert answer["usage"] == {"inputTokens": 7, "outputTokens": 2}


def test_arguments_that_are_no_json_are_left_for_the_check_of_the_answer(server: Served) -> None:
    function = {"name": "abstain", "arguments": "{class"}
    server.message = {"tool_calls": [{"function": function}]}
    (block,) = ask(server)["output"]["message"]["content"]
    assert block["toolUse"]["input"] == "{class"


def test_a_conversation_with_results_of_tools_survives(server: Served) -> None:
    call = {"toolUse": {"toolUseId": "c1", "name": "read_file", "input": {"path": "a.py"}}}
    result = {"toolResult": {"toolUseId": "c1", "content": [{"text": "lines"}]}}
    messages = [
        {"role": "user", "content": [{"text": "the incident"}]},
        {"role": "assistant", "content": [{"text": "I look."}, call]},
        {"role": "user", "content": [result]},
    ]
    ask(server, messages=messages)
    assistant, tool = server.requests[0]["messages"][2:]
    assert assistant["content"] == "I look."
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"path": "a.py"}
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "lines"}


@pytest.mark.parametrize(
    ("finish", "stop"), [("length", "max_tokens"), ("content_filter", "content_filtered"), (None, "end_turn")]
)
def test_why_it_stopped_is_told(server: Served, finish: str | None, stop: str) -> None:
    server.finish = finish
    assert ask(server)["stopReason"] == stop


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, ModelThrottled),
        (401, ModelAccessDenied),
        (402, ModelAccessDenied),
        (404, ModelNotFound),
        (307, ModelRequestInvalid),
        (400, ModelRequestInvalid),
        (408, ModelUnavailable),
        (500, ModelUnavailable),
    ],
)
def test_failures_have_their_own_names(server: Served, status: int, error: type[Exception]) -> None:
    server.status = status
    with pytest.raises(error, match=f"model llama3: {server.url}/v1: {status}"):
        ask(server)


@pytest.mark.parametrize("status", [400, 500])
def test_a_server_says_what_it_reads(server: Served, status: int) -> None:
    server.status = status
    server.said = {"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 14_429, "n_ctx": 8_192}}
    with pytest.raises(PromptTooLong) as raised:
        ask(server)
    assert raised.value.reads == 8_192


BROKEN = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "cut off": b'HTTP/1.1 200 OK\r\nContent-Length: 7000\r\n\r\n{"choices":',
    "a broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html>!",
    "too deep": b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
    "nothing": b"",
}


class OneSecond(TimeLeft):
    def for_a_call(self) -> float:
        return 1.0


def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every single read is short, and the whole would take hours."""
    monkeypatch.setattr(server_module, "LEAST", 0.5)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            with contextlib.suppress(OSError):
                while not gone.wait(0.05):
                    self.request.sendall(b" ")

    gone = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{listening.server_address[1]}"
        try:
            with pytest.raises(ChatRefused, match=r"no answer .TimeoutError"):
                ChatServer(url, time=OneSecond()).complete({})
        finally:
            gone.set()
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_answer_of_a_server_is_a_failure(case: str) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while line := self.rfile.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            self.wfile.write(BROKEN[case])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{listening.server_address[1]}"
        try:
            with pytest.raises(ModelUnavailable, match=f"model llama3: {url}/v1: .*answer"):
                Chat(ChatServer(url).complete).converse(request_for("llama3", PROMPT))
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "said",
    [
        {"choices": [{"message": {"content": "hi"}, "finish_reason": ["stop"]}]},
        {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": "many"}},
        {"choices": [{"message": {"content": "hi"}}], "usage": [1]},
        [],
    ],
)
def test_parts_of_the_wrong_kind_are_a_failure(server: Served, said: Any) -> None:
    server.said = said or [0]
    with pytest.raises(ModelUnavailable, match=r"chat completion|no JSON object"):
        ask(server)


@pytest.mark.parametrize("message", [None, "text", {"tool_calls": [{"function": {}}]}])
def test_what_is_no_chat_completion_is_a_failure(server: Served, message: Any) -> None:
    server.message = message
    with pytest.raises(ModelUnavailable, match="chat completion"):
        ask(server)


def test_the_key_goes_along_and_nowhere_else(server: Served) -> None:
    ask(server, key="k-1")
    assert server.keys == ["Bearer k-1"]
    # Another place is named: the key is not taken there.
    server.status, server.location = 307, f"{server.url}/elsewhere"
    with pytest.raises(ModelRequestInvalid):
        ask(server, key="k-1")
    assert len(server.keys) == 2


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/v1"),
        ("http://127.0.0.1:1/v1/", "http://127.0.0.1:1/v1"),
        ("https://llm.example/api/v1", "https://llm.example/api/v1"),
        ("https://x.example/openai/v1/", "https://x.example/openai/v1"),
    ],
)
def test_a_base_without_a_path_ends_in_v1(given: str, base: str) -> None:
    assert ChatServer(given).url == base


def test_models_that_think_are_told_their_limit_by_its_newer_name(server: Served) -> None:
    """OpenAI's own refuse the older one."""
    said = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    )
    model = Chat(ChatServer(server.url).complete)
    server.status, server.said = 400, {"error": {"message": said}}
    with pytest.raises(ParameterRefused):
        model.converse(request_for("o9", PROMPT))
    assert [set(sent) & {"max_tokens", "max_completion_tokens"} for sent in server.requests] == [
        {"max_tokens"},
        {"max_completion_tokens"},
    ]


def test_what_came_from_the_cache_is_counted_apart() -> None:
    usage = {"prompt_tokens": 90, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}}
    answer = {"choices": [{"message": {"content": "hi"}}], "usage": usage}
    told = Chat(lambda _: answer).converse(request_for("llama3", PROMPT))["usage"]
    assert told == {"inputTokens": 30, "outputTokens": 5, "cacheReadInputTokens": 60}


def test_effort_is_asked_for_where_an_app_sets_it(server: Served) -> None:
    model = Chat(ChatServer(server.url).complete)
    model.converse(request_for("llama3", PROMPT, RequestOptions(effort="low")))
    assert server.requests[0]["reasoning_effort"] == "low"


@pytest.mark.parametrize(("said", "told"), [("llama3-8b-1124", "llama3-8b-1124"), ("llama3", ""), (7, "")])
def test_which_model_really_answered_is_told(said: Any, told: str) -> None:
    answer = {"choices": [{"message": {"content": "hi"}}], "model": said}
    trace = Chat(lambda _: answer).converse(request_for("llama3", PROMPT)).get("trace", {})
    assert trace.get("promptRouter", {}).get("invokedModelId", "") == told
