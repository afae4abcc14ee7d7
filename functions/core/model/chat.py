"""Converse spoken to whatever completes chats as OpenAI's API does: most providers, and servers of one's own.

Source: https://platform.openai.com/docs/api-reference/chat, and where a server is known to differ, beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from functions.core.model.limits import refused_as_too_long
from functions.core.model.parameters import most, refused
from functions.core.model.requests import loosened
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    ParameterRefused,
    PromptTooLong,
)

_STOPS = {
    "tool_calls": "tool_use",
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
}
_LIMITS = ("max_tokens", "max_completion_tokens")
"""Every server knows the first, but for OpenAI's own models that think: these name the second."""
_MOST_SAID = 300
_PASSES = {408, 409, 425}
"""Statuses below 500 that say nothing against the request itself."""


class ChatRefused(Exception):
    """What came instead of a completion. where: whose it is; status: of HTTP, 0 where none came."""

    def __init__(self, where: str, status: int, said: str) -> None:
        self.status, self.said = status, " ".join(said.split())[:_MOST_SAID]
        super().__init__(f"{where}: {f'{status}: ' if status else ''}{self.said.rstrip('.')}")


class Chat:
    """Converse over a function that completes chats, given the payload; it raises ChatRefused."""

    def __init__(self, complete: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._complete = complete
        self._limit = _LIMITS[0]

    def count(self, request: dict[str, Any]) -> None:
        """These servers count nothing beforehand."""

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        """See `LanguageModel`; an answer that is no chat completion counts as none."""
        try:
            answer = self._complete(self._payload(request))
        except ChatRefused as refusal:
            if not (refusal.status == 400 and self._limit == _LIMITS[0] and _LIMITS[1] in refusal.said):
                raise _named(request, refusal) from None
            self._limit = _LIMITS[1]
            return self.converse(request)
        try:
            return _response(answer, request["modelId"])
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            model = request["modelId"]
            raise ModelUnavailable(
                f"model {model}: the server answered something else than a chat completion"
            ) from None

    def _payload(self, request: dict[str, Any]) -> dict[str, Any]:
        limits = request["inferenceConfig"]
        payload = {
            "model": request["modelId"],
            "messages": [message for part in _messages(request) for message in part],
            "tools": [_tool(tool["toolSpec"]) for tool in request["toolConfig"]["tools"]],
            "stream": False,
        }
        if "maxTokens" in limits:
            payload[self._limit] = limits["maxTokens"]
        if "temperature" in limits:
            payload["temperature"] = limits["temperature"]
        if effort := request.get("additionalModelRequestFields", {}).get("output_config", {}).get("effort"):
            payload["reasoning_effort"] = effort
        return payload


def _named(request: dict[str, Any], refusal: ChatRefused) -> Exception:
    what, said = f"model {request['modelId']}: {refusal}.", refusal.said
    if refusal.status == 429:
        return ModelThrottled(what)
    # Asked first: llama.cpp has answered this as 500, too.
    if (reads := refused_as_too_long(said)) is not None:
        return PromptTooLong(what, reads)
    if refusal.status == 0 or refusal.status >= 500 or refusal.status in _PASSES:
        return ModelUnavailable(what)
    if refusal.status in (401, 402, 403):
        return ModelAccessDenied(
            f"{what} Check the key and what its account may use; to give another one: selfheal configure APP"
            " --model-key-file FILE, then redrive."
        )
    if refusal.status == 404:
        return ModelNotFound(f"{what} Check the app's 'model' and 'model_url', then redrive.")
    if parameter := refused(request, said):
        note = f"It does not take {parameter.name} as given: {parameter.remedy}."
        return ParameterRefused(f"{what} {note}", parameter.name, most(said))
    return ModelRequestInvalid(f"{what} Set a model that calls tools as the app's 'model', then redrive.")


def _response(answer: dict[str, Any], asked: str) -> dict[str, Any]:
    """A chat completion as Converse answers. asked: for which model. Raises what Python does where it is
    none."""
    choice = answer["choices"][0]
    content = list(_blocks(choice["message"]))
    stop = _STOPS.get(choice.get("finish_reason") or "stop", "end_turn")
    if any("toolUse" in block for block in content) and stop == "end_turn":
        stop = "tool_use"  # several servers say "stop" even so
    usage = answer.get("usage") or {}
    prompt = int(usage.get("prompt_tokens") or 0)
    cached = min(prompt, int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0))
    told = answer.get("model")
    another = isinstance(told, str) and told != asked
    return {
        # A name may stand for the latest version, or for what a gateway chose: told as a prompt router does.
        **({"trace": {"promptRouter": {"invokedModelId": told}}} if another else {}),
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        # Converse tells what came from the cache apart.
        "usage": {
            "inputTokens": prompt - cached,
            "outputTokens": int(usage.get("completion_tokens") or 0),
            **({"cacheReadInputTokens": cached} if cached else {}),
        },
    }


def _messages(request: dict[str, Any]) -> list[list[dict[str, Any]]]:
    system = "\n\n".join(block["text"] for block in request["system"] if "text" in block)
    return [[{"role": "system", "content": system}], *map(_spoken, request["messages"])]


def _spoken(message: dict[str, Any]) -> list[dict[str, Any]]:
    """One Converse message as chat messages: results of tools are messages of their own."""
    text = "\n\n".join(block["text"] for block in message["content"] if "text" in block)
    calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    results = [block["toolResult"] for block in message["content"] if "toolResult" in block]
    found: list[dict[str, Any]] = [
        {
            "role": "tool",
            "tool_call_id": result["toolUseId"],
            "content": "\n".join(part.get("text", "") for part in result["content"]),
        }
        for result in results
    ]
    if text or calls:
        # Also where there is none: null and nothing are OpenAI's too, and llama-cpp-python fails at both.
        spoken: dict[str, Any] = {"role": message["role"], "content": text}
        if calls:
            spoken["tool_calls"] = [
                {
                    "id": call["toolUseId"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["input"])},
                }
                for call in calls
            ]
        found.append(spoken)
    return found


def _tool(spec: dict[str, Any]) -> dict[str, Any]:
    function = {
        "name": spec["name"],
        "description": spec["description"],
        "parameters": loosened(spec["inputSchema"]["json"]),
    }
    return {"type": "function", "function": function}


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if text := message.get("content"):
        blocks.append({"text": str(text)})
    for call in message.get("tool_calls") or []:
        arguments = call["function"]["arguments"]
        try:
            given = json.loads(arguments) if isinstance(arguments, str) else arguments
        except (ValueError, RecursionError):
            given = arguments  # no object: the check of the answer says so to the model
        name = call["function"]["name"]
        blocks.append({"toolUse": {"toolUseId": call.get("id") or "call", "name": name, "input": given}})
    return blocks
