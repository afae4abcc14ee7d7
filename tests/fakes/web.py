"""Servers of a test's own: `pytest-httpserver`, with a function that answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def answered_by(server: HTTPServer, answer: Callable[[Request], Response], path: str = "/.*") -> str:
    """Have requests for such paths answered; the server's address, without a slash at its end."""
    server.expect_request(re.compile(path)).respond_with_handler(answer)
    return server.url_for("/").rstrip("/")


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(data), status, headers, mimetype="application/json")
