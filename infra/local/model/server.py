"""The OpenAI-compatible endpoint of the repair model, on the loopback interface only."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

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

_MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request; a prompt is some hundred kilobytes at most."""


class BadRequest(ValueError):
    """The request is not a chat completion that this model can answer; the message says why."""


def complete(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one chat completion request with exactly one tool call.

    Prose is answered only when no tool is offered or the conversation reports no incident. Raises BadRequest.
    """
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "built-in-repair-rules"

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, {"status": "ok"})
        elif self.path == "/v1/models":
            model = {"id": MODEL_ID, "object": "model", "created": 0, "owned_by": "selfheal"}
            self._send(200, {"object": "list", "data": [model]})
        else:
            self._error(404, f"no such address: {self.path}")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY:
            self.close_connection = True
            self._error(413, f"the request has {length} bytes; at most {_MAX_BODY} are read")
            return
        body = self.rfile.read(length)
        if self.path != "/v1/chat/completions":
            self._error(404, f"no such address: {self.path}")
            return
        try:
            request = json.loads(body)
            if not isinstance(request, dict):
                raise BadRequest("the body must be a JSON object")
            self._send(200, complete(request))
        except (BadRequest, json.JSONDecodeError, UnicodeDecodeError) as error:
            self._error(400, str(error))

    def _send(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, status: int, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the overridden signature
        """Say nothing: the caller's own log tells of the call."""


class RepairModel:
    """The model's server in a thread of this process.

    >>> with RepairModel() as model:
    ...     model.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, port: int = 0) -> None:
        """Bind the port (0: any free one) on 127.0.0.1. Raises OSError when it is taken."""
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="repair-model", daemon=True
        )

    @property
    def url(self) -> str:
        """The base address, as MINISTACK_BEDROCK_PROXY_URL wants it: without `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve_forever(self) -> None:
        """Answer in the calling thread until interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
