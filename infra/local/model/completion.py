"""What the repair model answers to a chat completion request, as OpenAI's API has them."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from functions.core.workflow.proposal import ABSTAIN_TOOL, PROPOSE_TOOL, Abstention
from functions.core.workflow.review import Opinion
from functions.review_patch.prompt import TOOL as REVIEW_TOOL
from infra.local.model.engine import answer
from infra.local.model.prompt import NotAPrompt

MODEL_ID = "built-in-repair-rules"

_NO_OPINION = {
    "opinion": str(Opinion.NONE),
    "reasons": ["The built-in rules repair; they do not judge what others propose."],
    "would_check": [],
}


class BadRequest(ValueError):
    """The request is not a chat completion that this model can answer; the message says why."""


def complete(request: Any) -> dict[str, Any]:
    """Answer one chat completion request with exactly one tool call.

    Prose is answered only when no tool is offered or the conversation reports no incident. Raises BadRequest.
    """
    if not isinstance(request, dict):
        raise BadRequest("the body must be a JSON object")
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise BadRequest("messages must be an array of objects")
    if request.get("stream"):
        raise BadRequest("streaming is not supported")
    offered = {t.get("function", {}).get("name") for t in request.get("tools") or [] if isinstance(t, dict)}
    if REVIEW_TOOL in offered:
        return _completed(request, messages, _call(REVIEW_TOOL, json.dumps(_NO_OPINION)))
    prompt = next((t for t in map(_user_text, messages) if "<incident-" in t), "")
    try:
        reply = answer(prompt)
    except NotAPrompt as error:
        return _completed(request, messages, _prose(f"I can only repair reported crashes: {error}."))
    tool = ABSTAIN_TOOL if isinstance(reply, Abstention) else PROPOSE_TOOL
    arguments = json.dumps(reply.to_json())
    return _completed(
        request,
        messages,
        _call(tool, arguments) if tool in offered else _prose(f"{tool}: {arguments}"),
    )


def _prose(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _call(tool: str, arguments: str) -> dict[str, Any]:
    function = {"name": tool, "arguments": arguments}
    call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _completed(
    request: dict[str, Any], messages: list[dict[str, Any]], message: dict[str, Any]
) -> dict[str, Any]:
    finish = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL_ID,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": _usage(messages, message),
    }


def _user_text(message: dict[str, Any]) -> str:
    if message.get("role") != "user":
        return ""
    content = message.get("content")
    if isinstance(content, list):
        parts = [p.get("text", "") for p in content if isinstance(p, dict)]
        return "\n".join(p for p in parts if isinstance(p, str))
    return content if isinstance(content, str) else ""


def _usage(messages: list[dict[str, Any]], reply: dict[str, Any]) -> dict[str, int]:
    """Tokens at four characters each: this model has no tokenizer, and callers want an order of size."""
    prompt = sum(len(json.dumps(m.get("content") or "")) for m in messages) // 4
    completion = len(json.dumps(reply)) // 4
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
