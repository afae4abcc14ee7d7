"""A conversation's turns: what was answered, and what may be sent next."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from functions.core.model.models import model_of
from functions.core.model.prices import Usage
from functions.core.model.requests import keeps_for_an_hour, request_tokens

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""ToolName in the API's model. Models make up others, which are refused when they are sent back."""


def content_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The content blocks of the answer; none if the response has another shape.

    Some models give the input of a tool as the text of a JSON object: that is read.
    """
    message = (response.get("output") or {}).get("message") or {}
    return [_read(block) for block in message.get("content") or [] if _is_block(block)]


def _is_block(block: Any) -> bool:
    """The SDK checks the shape of what is sent, and not of what is answered."""
    shapes = {"text": str, "toolUse": dict, "reasoningContent": dict}
    return isinstance(block, dict) and all(isinstance(block.get(k, t()), t) for k, t in shapes.items())


def _read(block: dict[str, Any]) -> dict[str, Any]:
    if "toolUse" not in block:
        return block
    call = {"toolUseId": "call", **block["toolUse"], "name": str(block["toolUse"].get("name", ""))}
    block = {"toolUse": call}
    if not isinstance(call.get("input"), str):
        return block
    try:
        given = json.loads(call["input"])
    except (ValueError, RecursionError):
        return block
    return {"toolUse": {**call, "input": given}} if isinstance(given, dict) else block


def repair(
    model: str, messages: Sequence[dict[str, Any]], response: dict[str, Any], violations: Sequence[str]
) -> list[dict[str, Any]]:
    """The conversation, continued with what is wrong with the answer."""
    note = "Your answer was not accepted: " + "; ".join(violations) + "."
    said = [block for block in map(sendable, content_of(response)) if block]
    if all("reasoningContent" in block for block in said):
        # An empty assistant turn is refused, one that only thinks is too (NousResearch/hermes-agent#105780),
        # and so are two user turns in a row.
        last = messages[-1]
        return [*messages[:-1], {**last, "content": _with_note(last["content"], note)}]
    calls = [block["toolUse"]["toolUseId"] for block in said if "toolUse" in block]
    known = model_of(model)
    status = {"status": "error"} if known and known.status else {}
    results = [{"toolResult": {"toolUseId": call, "content": [{"text": note}], **status}} for call in calls]
    reply: list[dict[str, Any]] = [*results] if results else [{"text": note}]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": reply}]


def _with_note(content: list[dict[str, Any]], note: str) -> list[dict[str, Any]]:
    """A user turn with a note: within the last result of a tool if there is one, because some models refuse
    results and text in one turn (browser-use/browser-use#710)."""
    *before, last = content
    if "toolResult" not in last:
        return [*content, {"text": note}]
    result = last["toolResult"]
    return [*before, {"toolResult": {**result, "content": [*result["content"], {"text": note}]}}]


def sendable(block: dict[str, Any]) -> dict[str, Any] | None:
    """A block of the answer as it may be sent back: no empty text, none that the SDK does not know, thoughts
    as they are wanted back, a tool's name always one, and its input an object."""
    if "text" in block:
        return block if block["text"].strip() else None
    if "SDK_UNKNOWN_MEMBER" in block:
        return None
    if "reasoningContent" in block:
        return _thought(block["reasoningContent"])
    if "toolUse" in block:
        call = block["toolUse"]
        name, given = str(call.get("name", "")), call.get("input")
        return {
            "toolUse": {
                **call,
                "name": name if _NAME.fullmatch(name) else "no_such_tool",
                "input": given if isinstance(given, dict) else {},
            }
        }
    return block


def _thought(reasoning: dict[str, Any]) -> dict[str, Any] | None:
    """A thought as it may be sent back. What is signed may come without text, which must be there, if empty
    (strands-agents/harness-sdk#2704); what is neither signed nor sealed is refused by those who sign
    (can1357/oh-my-pi#10486), and nobody else needs it."""
    if "redactedContent" in reasoning:
        return {"reasoningContent": {"redactedContent": reasoning["redactedContent"]}}
    said = reasoning.get("reasoningText") or {}
    if not said.get("signature"):
        return None
    return {
        "reasoningContent": {
            "reasoningText": {"text": said.get("text") or "", "signature": said["signature"]}
        }
    }


def sent_after(request: dict[str, Any], first: int) -> list[dict[str, Any]]:
    """Our messages after those of the first request."""
    return [message for message in request["messages"][first:] if message["role"] == "user"]


def answer_limit(request: dict[str, Any]) -> int:
    """The most tokens of an answer, 0 where a model that takes no limit has its own."""
    return int(request["inferenceConfig"].get("maxTokens", 0))


def worst(request: dict[str, Any], counted: int | None = None) -> Usage:
    """The most a call can use: all of its input written to the cache, and output up to the limit.

    Without a count the factor covers text that takes more tokens than code does, such as dense digits or
    other scripts.
    """
    prompt = 2 * request_tokens(request) if counted is None else counted
    if keeps_for_an_hour(request):
        return Usage(cache_write_hour=prompt, output=answer_limit(request))
    return Usage(cache_write=prompt, output=answer_limit(request))
