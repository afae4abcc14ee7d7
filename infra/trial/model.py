"""The models that a trial can ask: the rule-based one, Bedrock, or an OpenAI-compatible server.

Whatever is asked speaks Converse here, so that the step's own request and checks are the ones in use.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from functions.core.model.adapted import Adapted
from functions.core.model.bedrock import Bedrock
from functions.core.model.limits import refused_as_too_long
from functions.core.model.models import default_model
from functions.core.model.requests import loosened
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelRequestInvalid,
    ModelThrottled,
    ModelUnavailable,
    PromptTooLong,
    SelfHealError,
)
from infra.cli.connect import region
from infra.errors import UserError
from infra.local.model.server import MODEL_ID, complete

_SECONDS = 800
_LARGEST = 16 * 1024 * 1024
"""Bytes of an answer that are read."""
_STOPS = {
    "tool_calls": "tool_use",
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
}


def connect(name: str) -> tuple[Adapted, str]:
    """The model and its id. `name`: `embedded`, `bedrock`, `bedrock:MODEL_ID`, or the server's address.

    Raises UserError (exit code 2) for anything else, and for Bedrock without a region or a default model
    there.
    """
    if name == "embedded":
        return Adapted(Chat(complete)), MODEL_ID
    kind, _, model = name.partition(":")
    if kind == "bedrock":
        import boto3

        session = boto3.Session(region_name=region())
        here = session.region_name
        if not here:
            raise UserError("--model bedrock: no AWS region is set", "set AWS_REGION", exit_code=2)
        if not (model or default_model(here)):
            raise UserError(
                f"--model bedrock: region {here} has no default model that keeps code in its geography",
                "name one: --model bedrock:MODEL_ID",
                exit_code=2,
            )
        bedrock = Bedrock(lambda config: session.client("bedrock-runtime", config=config))
        return Adapted(bedrock), model or default_model(here)
    url = urlsplit(name)
    if url.scheme in ("http", "https") and url.hostname:
        server = _Server(name.rstrip("/").removesuffix("/v1"))
        return Adapted(Chat(server.complete)), server.model()
    raise UserError(
        f"--model {name!r} is unknown",
        "use embedded, bedrock, bedrock:MODEL_ID, or a server's http(s) URL",
        exit_code=2,
    )


class Chat:
    """Converse over a function that completes OpenAI chats."""

    def __init__(self, complete: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._complete = complete

    def count(self, request: dict[str, Any]) -> None:
        """These servers count nothing beforehand."""

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        """One call. Raises what the function raises, and ModelUnavailable for what is no chat completion."""
        limits = request["inferenceConfig"]
        answer = self._complete(
            {
                "model": request["modelId"],
                "messages": [message for part in _messages(request) for message in part],
                "tools": [_tool(tool["toolSpec"]) for tool in request["toolConfig"]["tools"]],
                "max_tokens": limits["maxTokens"],
                "stream": False,
                **({"temperature": limits["temperature"]} if "temperature" in limits else {}),
            }
        )
        try:
            return _response(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise ModelUnavailable(
                "the model's server answered something else than a chat completion"
            ) from None


def _response(answer: dict[str, Any]) -> dict[str, Any]:
    """A chat completion as Converse answers. Raises what Python does where it is none."""
    choice = answer["choices"][0]
    content = list(_blocks(choice["message"]))
    stop = _STOPS.get(choice.get("finish_reason") or "stop", "end_turn")
    if any("toolUse" in block for block in content) and stop == "end_turn":
        stop = "tool_use"  # several servers say "stop" even so
    usage = answer.get("usage") or {}
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": {
            "inputTokens": int(usage.get("prompt_tokens") or 0),
            "outputTokens": int(usage.get("completion_tokens") or 0),
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
        except ValueError:
            given = arguments  # no object: the check of the answer says so to the model
        name = call["function"]["name"]
        blocks.append({"toolUse": {"toolUseId": call.get("id") or "call", "name": name, "input": given}})
    return blocks


class _Server:
    def __init__(self, url: str) -> None:
        self._url = url

    def model(self) -> str:
        """The first model that the server lists; servers that serve one take any name. What is wrong with a
        server shows when it is asked."""
        try:
            return str(self._call("/v1/models", None, 10)["data"][0]["id"])
        except (SelfHealError, KeyError, IndexError, TypeError):
            return "default"

    def complete(self, payload: dict[str, Any]) -> dict[str, Any]:
        return self._call("/v1/chat/completions", payload, _SECONDS)

    def _call(self, path: str, payload: dict[str, Any] | None, seconds: int) -> dict[str, Any]:
        data = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(  # noqa: S310 - the user's own URL, checked to be http(s)
            self._url + path, data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310 - the same
                answer: dict[str, Any] = json.loads(response.read(_LARGEST))
                return answer
        except urllib.error.HTTPError as error:
            said = f"{self._url}: {error.code}: {error.read(300).decode(errors='replace')}"
            if error.code == 429:
                raise ModelThrottled(said) from None
            if error.code in (401, 403):
                raise ModelAccessDenied(said) from None
            # llama.cpp has answered this as 500 and as 400.
            if (reads := refused_as_too_long(said)) is not None:
                raise PromptTooLong(said, reads) from None
            raise (ModelUnavailable if error.code >= 500 else ModelRequestInvalid)(said) from None
        except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelUnavailable(f"no model answers at {self._url}: {said[:300]}") from None
