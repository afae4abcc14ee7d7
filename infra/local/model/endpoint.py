"""The OpenAI-compatible endpoint of the repair model, on the loopback interface only."""

from __future__ import annotations

import json
import threading
from typing import Any, Self

from werkzeug import Request, Response
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from infra.local.model.completion import MODEL_ID, BadRequest, complete


class _Request(Request):
    max_content_length = 8 * 1024 * 1024
    """Bytes; a prompt is some hundred kilobytes at most."""


@_Request.application
def _application(request: Request) -> Response:
    match request.method, request.path:
        case "GET", "/health":
            return _answer({"status": "ok"})
        case "GET", "/v1/models":
            model = {"id": MODEL_ID, "object": "model", "created": 0, "owned_by": "selfheal"}
            return _answer({"object": "list", "data": [model]})
        case "POST", "/v1/chat/completions":
            try:
                return _answer(complete(json.loads(request.get_data())))
            except (BadRequest, json.JSONDecodeError, UnicodeDecodeError) as error:
                return _refusal(400, str(error))
    return _refusal(404, f"no such address: {request.path}")


def _answer(data: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(data), status, mimetype="application/json")


def _refusal(status: int, message: str) -> Response:
    return _answer({"error": {"message": message, "type": "invalid_request_error"}}, status)


class _Silent(WSGIRequestHandler):
    """The caller's own log tells of the call."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 # the name is werkzeug's
        """Say nothing."""


class RepairModel(ThreadedWSGIServer):
    """The model's server; in a `with` it answers in a thread of this process.

    >>> with RepairModel() as model:
    ...     model.url.startswith("http://127.0.0.1:")
    True
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        """Bind the port (0: any free one) on 127.0.0.1. Raises OSError when it is taken."""
        super().__init__("127.0.0.1", port, _application, handler=_Silent)

    @property
    def url(self) -> str:
        """The base address, as MINISTACK_BEDROCK_PROXY_URL wants it: without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="repair-model", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
