"""Parameters of a Converse request that a model may refuse, and the request without them.

None of them is needed for an answer: they make it better, cheaper or easier to find. A guardrail is not
among them, because it is there for safety, and neither are the tools, without which there is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Request = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """How a refusal names a parameter, what an app can set instead, how it is found in a request and taken
    out."""

    name: str
    said: re.Pattern[str]
    remedy: str
    used: Callable[[Request], bool]
    without: Callable[[Request, int], Request]
    """The second argument is the most that the model takes of it, 0 where it takes none."""


def refused(request: Request, said: str) -> Parameter | None:
    """The parameter of this request that a refusal is about, if it is about one."""
    return next((p for p in PARAMETERS if p.used(request) and p.said.search(said)), None)


def without(request: Request, name: str, limit: int = 0) -> Request:
    """The request without a parameter, or with no more of it than the limit."""
    parameter = next(p for p in PARAMETERS if p.name == name)
    return parameter.without(request, limit) if parameter.used(request) else request


def most(said: str) -> int:
    """The limit that a refusal names, 0 if it names none."""
    found = re.search(r"(?:limit of|lower than|less than or equal to|> ?)\D{0,3}(\d{3,7})", said)
    return int(found[1]) if found else 0


def _less(request: Request, key: str, inner: str) -> Request:
    return {**request, key: {name: value for name, value in request[key].items() if name != inner}}


def _cache_points(request: Request) -> Iterator[dict[str, Any]]:
    for blocks in (request.get("system", ()), *(message["content"] for message in request["messages"])):
        yield from (block["cachePoint"] for block in blocks if "cachePoint" in block)


def _each_block(
    request: Request, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> dict[str, Any]:
    """The request with each block of its texts changed, or left out where the change gives None."""

    def changed(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [block for block in map(change, blocks) if block is not None]

    messages = [{**message, "content": changed(message["content"])} for message in request["messages"]]
    return {**request, "system": changed(request.get("system", [])), "messages": messages}


def _without_hour(request: Request, _: int) -> Request:
    return _each_block(
        request, lambda block: {"cachePoint": {"type": "default"}} if "cachePoint" in block else block
    )


def _without_cache(request: Request, _: int) -> Request:
    return _each_block(request, lambda block: None if "cachePoint" in block else block)


def _without_status(request: Request, _: int) -> Request:
    def change(block: dict[str, Any]) -> dict[str, Any]:
        if "toolResult" not in block:
            return block
        return {"toolResult": {key: value for key, value in block["toolResult"].items() if key != "status"}}

    return _each_block(request, change)


def _uses_status(request: Request) -> bool:
    blocks = (block for message in request["messages"] for block in message["content"])
    return any("status" in block.get("toolResult", {}) for block in blocks)


def _specs(request: Request) -> Iterator[dict[str, Any]]:
    return (tool["toolSpec"] for tool in request.get("toolConfig", {}).get("tools", ()))


def _without_strict(request: Request, _: int) -> Request:
    tools = [
        {"toolSpec": {key: value for key, value in spec.items() if key != "strict"}}
        for spec in _specs(request)
    ]
    return {**request, "toolConfig": {**request["toolConfig"], "tools": tools}}


def _with_at_most(request: Request, limit: int) -> Request:
    """No more tokens for the answer than that; without a limit the model's own default."""
    given = dict(request["inferenceConfig"])
    tokens = given.pop("maxTokens")
    return {**request, "inferenceConfig": given | ({"maxTokens": min(tokens, limit)} if limit else {})}


PARAMETERS = (
    Parameter(
        "temperature",
        re.compile(r"temperature|top_?[pk]\b", re.I),
        "remove the app's 'temperature'",
        lambda request: "temperature" in request.get("inferenceConfig", {}),
        lambda request, _: _less(request, "inferenceConfig", "temperature"),
    ),
    Parameter(
        "effort",
        re.compile(r"output_config|effort|additionalModelRequestFields", re.I),
        "remove the app's 'effort'",
        lambda request: "additionalModelRequestFields" in request,
        lambda request, _: {k: v for k, v in request.items() if k != "additionalModelRequestFields"},
    ),
    Parameter(
        "strict",
        # What is refused of a schema is refused because a grammar is made of it, which only strict tools
        # need: strands-agents/harness-sdk#2664, BerriAI/litellm#39115, anthropics/anthropic-sdk-python#1185.
        re.compile(r"\bstrict\b|structured output|\btools\.\d+\.custom\b|grammar|too complex", re.I),
        "nothing: tools are offered without it",
        lambda request: any("strict" in spec for spec in _specs(request)),
        _without_strict,
    ),
    Parameter(
        "ttl",
        re.compile(r"\bttl\b|\b1h\b"),
        "nothing: the cache then keeps for five minutes",
        lambda request: any("ttl" in point for point in _cache_points(request)),
        _without_hour,
    ),
    Parameter(
        "cachePoint",
        re.compile(r"prompt caching|cache_?(?:point|control)", re.I),
        "nothing: the request is then paid for in full",
        lambda request: any(_cache_points(request)),
        _without_cache,
    ),
    Parameter(
        "status",
        re.compile(r"\bstatus\b"),
        "nothing: the result says in words that it is an error",
        _uses_status,
        _without_status,
    ),
    Parameter(
        "toolChoice",
        re.compile(r"tool_?choice", re.I),
        "nothing: the model then chooses by itself",
        lambda request: "toolChoice" in request.get("toolConfig", {}),
        lambda request, _: _less(request, "toolConfig", "toolChoice"),
    ),
    Parameter(
        "requestMetadata",
        re.compile(r"request_?metadata", re.I),
        "nothing: the invocation log then lacks app and incident",
        lambda request: "requestMetadata" in request,
        lambda request, _: {k: v for k, v in request.items() if k != "requestMetadata"},
    ),
    Parameter(
        "maxTokens",
        re.compile(r"max(?:imum)?[ _]?tokens", re.I),
        "lower the app's 'answer_tokens'",
        lambda request: "maxTokens" in request.get("inferenceConfig", {}),
        _with_at_most,
    ),
)
