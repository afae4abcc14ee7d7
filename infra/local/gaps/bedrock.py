"""Bedrock Converse: an endpoint that fails is an error, a cut answer says so, and whoever answered is named.

MiniStack answers a mock text when the endpoint is down or refuses, reports every answer as complete, and
sends null for the content of a turn that only calls a tool.
Error names and stop reasons: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import http.client
import json
import logging
import urllib.error
import urllib.request
from contextvars import ContextVar
from typing import Any

from functions.core.model.requests import loosened
from infra.local.gaps.patching import Response, replace, service

logger = logging.getLogger(__name__)
bedrock = service("services.bedrock_runtime")

OPTIONS = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
STOP_REASONS = {"length": "max_tokens", "content_filter": "content_filtered"}
"""The endpoint's finish_reason → Converse's stopReason, where it is not the content that tells it."""

ERRORS = {
    400: ("ValidationException", 400),
    401: ("AccessDeniedException", 403),
    403: ("AccessDeniedException", 403),
    404: ("ResourceNotFoundException", 404),
    408: ("ModelTimeoutException", 408),
    429: ("ThrottlingException", 429),
    500: ("InternalServerException", 500),
}
"""Status of the endpoint's answer → Bedrock's error and its status; all others are ServiceUnavailable."""

_FINISH = "finish_reason"
_answered_by: ContextVar[str] = ContextVar("answered_by", default="")


class ModelFailed(Exception):
    """The endpoint did not give an answer. `args`: status of its response (0: none), and what it said."""


def fill() -> None:
    replace(
        bedrock,
        _converse=failing(bedrock._converse),
        _proxy_openai_chat_message=ask(bedrock._proxy_openai_chat_message),
        _converse_blocks_from_message=stopping(bedrock._converse_blocks_from_message),
    )


def failing(converse: Any) -> Any:
    def call(*args: Any) -> Response:
        _answered_by.set("")
        try:
            response: Response = converse(*args)
            if name := _answered_by.get():
                status, headers, body = response
                # As a prompt router tells which model it chose.
                told = json.loads(body) | {"trace": {"promptRouter": {"invokedModelId": name}}}
                response = (status, headers, json.dumps(told).encode())
        except ModelFailed as error:
            status, text = error.args
            logger.warning("the model endpoint failed (%s): %s", status, text)
            code, http_status = ERRORS.get(status, ("ServiceUnavailableException", 503))
            response = bedrock._error(code, text, http_status)
        return response

    return call


def ask(mock: Any) -> Any:
    """Forward to the endpoint. Without one, MiniStack's mock text stays the answer."""

    def call(model: str, messages: Any, system: Any, options: Any, tools: Any = None) -> tuple[Any, Any]:
        if not bedrock._PROXY_URL:
            nothing: tuple[Any, Any] = mock(model, messages, system, options, tools)
            return nothing
        spoken = [with_content(message) for message in bedrock._openai_messages(messages, system)]
        payload = {"model": model, "messages": spoken, "stream": False}
        offered, choice = bedrock._openai_tools(tools)
        for tool in offered:
            tool["function"]["parameters"] = loosened(tool["function"]["parameters"])
        payload |= {"tools": offered} if offered else {}
        payload |= {"tool_choice": choice} if offered and choice is not None else {}
        payload |= {theirs: options[ours] for ours, theirs in OPTIONS.items() if ours in (options or {})}
        answer = _post(f"{bedrock._PROXY_URL}/v1/chat/completions", payload)
        try:
            choice = answer["choices"][0]
            message = {**choice["message"], _FINISH: choice.get("finish_reason")}
            _answered_by.set(str(answer.get("model") or ""))
        except (KeyError, IndexError, TypeError):
            raise ModelFailed(0, "the answer is no chat completion") from None
        usage = answer.get("usage") or {}
        counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
        return message, counts if all(isinstance(count, int) for count in counts) else None

    return call


def with_content(message: dict[str, Any]) -> dict[str, Any]:
    """A message as every server takes it: for the content of a turn that only calls a tool, OpenAI's schema
    has null, none or an empty text, and llama-cpp-python 0.3.36 fails at the first two."""
    return message if message["content"] is not None else {**message, "content": ""}


def _post(url: str, payload: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(payload).encode(), headers)  # noqa: S310 (the user's own URL)
    try:
        with urllib.request.urlopen(request, timeout=bedrock._PROXY_TIMEOUT_S) as response:  # noqa: S310 (the same)
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise ModelFailed(error.code, error.read(500).decode(errors="replace")) from error
    except TimeoutError as error:
        raise ModelFailed(408, "the model did not answer in time") from error
    except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
        raise ModelFailed(0, str(error)) from error


def stopping(blocks_of: Any) -> Any:
    def call(message: dict[str, Any]) -> tuple[Any, str]:
        blocks, reason = blocks_of(message)
        return blocks, STOP_REASONS.get(message.get(_FINISH) or "", reason)

    return call
