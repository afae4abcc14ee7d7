"""The endpoint: the OpenAI shapes, one tool call per answer, and the way through MiniStack's Bedrock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.core.workflow.proposal import (
    ABSTAIN_SCHEMA,
    ABSTAIN_TOOL,
    PROPOSE_SCHEMA,
    PROPOSE_TOOL,
    Proposal,
)
from infra.local.emulator import Emulator
from infra.local.model.endpoint import RepairModel
from tests.crash_corpus import TOOLS, build_prompt, cases, run

CASES = {case.name: case for case in cases()}


@pytest.fixture(scope="module")
def model() -> Iterator[RepairModel]:
    with RepairModel() as running:
        yield running


@pytest.fixture(scope="module")
def prompt() -> str:
    case = CASES["key_own_error"]
    return build_prompt(case.folder, run(case.folder, case.call))


def _request(url: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_it_says_that_it_is_well_and_what_it_serves(model: RepairModel) -> None:
    assert _request(model.url, "/health") == (200, {"status": "ok"})
    assert _request(model.url, "/v1/models")[1]["data"][0]["id"] == "built-in-repair-rules"


def test_an_answer_is_exactly_one_call_of_an_offered_tool(model: RepairModel, prompt: str) -> None:
    status, answer = _request(
        model.url,
        "/v1/chat/completions",
        {"model": "m", "messages": [{"role": "user", "content": prompt}], "tools": TOOLS},
    )

    choice = answer["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert status == 200
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert call["function"]["name"] == PROPOSE_TOOL
    assert Proposal.from_json(json.loads(call["function"]["arguments"])).edits
    assert answer["usage"]["prompt_tokens"] > 100
    assert answer["usage"]["completion_tokens"] > 10


def test_a_repair_turn_gets_the_same_answer(model: RepairModel, prompt: str) -> None:
    turns = [
        {"role": "user", "content": [{"type": "text", "text": prompt}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "edits[0]: search text occurs twice"},
    ]
    _, first = _request(model.url, "/v1/chat/completions", {"messages": turns[:1], "tools": TOOLS})
    _, second = _request(model.url, "/v1/chat/completions", {"messages": turns, "tools": TOOLS})

    arguments = [
        a["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] for a in (first, second)
    ]
    assert arguments[0] == arguments[1]


def test_a_conversation_about_something_else_gets_prose(model: RepairModel) -> None:
    body = {"messages": [{"role": "user", "content": "write a poem"}], "tools": TOOLS}

    _, answer = _request(model.url, "/v1/chat/completions", body)

    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "reported crashes" in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b"[]", 400),
        ("/v1/chat/completions", b"\xff", 400),
        ("/v1/chat/completions", {"messages": "x"}, 400),
        ("/v1/chat/completions", {"messages": [], "stream": True}, 400),
        ("/v1/elsewhere", {}, 404),
        ("/nowhere", None, 404),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so(
    model: RepairModel, path: str, body: Any, status: int
) -> None:
    got, answer = _request(model.url, path, body)

    assert got == status
    assert answer["error"]["message"]


def test_the_command_serves_on_loopback_until_it_is_told_to_stop() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "infra.local.model", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        try:
            assert url.startswith("http://127.0.0.1:")
            assert _request(url, "/health")[0] == 200
        finally:
            os.kill(server.pid, signal.SIGTERM)
        assert server.wait(10) == 0


@pytest.mark.embedded
def test_bedrock_converse_ends_in_tool_use(model: RepairModel, prompt: str, tmp_path: Path) -> None:
    tools = [
        {"toolSpec": {"name": name, "description": name, "inputSchema": {"json": schema}}}
        for name, schema in ((PROPOSE_TOOL, PROPOSE_SCHEMA), (ABSTAIN_TOOL, ABSTAIN_SCHEMA))
    ]
    with Emulator(tmp_path, bedrock_url=model.url) as emulator:
        answer = (
            emulator.session()
            .client("bedrock-runtime")
            .converse(
                modelId="anthropic.claude-sonnet-4-5-20250929-v1:0",
                system=[{"text": "Repair."}],
                messages=[{"role": "user", "content": [{"text": prompt}]}],
                toolConfig={"tools": tools, "toolChoice": {"auto": {}}},  # type: ignore[typeddict-item]  # JSON.
                inferenceConfig={"maxTokens": 4000, "temperature": 0},
            )
        )

    (block,) = answer["output"]["message"]["content"]
    assert answer["stopReason"] == "tool_use"
    assert block["toolUse"]["name"] == PROPOSE_TOOL
    assert (
        Proposal.from_json(block["toolUse"]["input"]).title
        == "Raise UnknownRegion for an unknown key of TAX_RATES"
    )
    assert answer["usage"]["inputTokens"] > 100
