"""Reading requests and writing answers as GitHub's REST API has them."""

from __future__ import annotations

import json
import time
from typing import Any

from werkzeug import Request, Response

from infra.local.forge.pulls import PullRefused, invalid
from infra.local.forge.shapes import Json, Shapes

BASE_PATH = "/api/v3"
_MOST_JSON = 1024 * 1024  # bytes; a pull request with the longest allowed body is well below


def answer(value: Any, status: int = 200) -> Response:
    response = Response(json.dumps(value), status=status, content_type="application/json; charset=utf-8")
    # Clients slow down, or wait, when these are missing or run low.
    response.headers["X-RateLimit-Limit"] = response.headers["X-RateLimit-Remaining"] = "5000"
    response.headers["X-RateLimit-Used"] = "0"
    response.headers["X-RateLimit-Reset"] = str(int(time.time()) + 3600)
    return response


def shapes(request: Request) -> Shapes:
    web = request.host_url.rstrip("/")
    return Shapes(web=web, api=web + BASE_PATH)


def body(request: Request) -> Json:
    if request.content_length is None or request.content_length > _MOST_JSON:
        raise PullRefused(413, "Payload too large")
    try:
        data = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError):
        raise PullRefused(400, "Problems parsing JSON") from None
    if isinstance(data, list):  # labels may come without an object around them
        data = {"labels": data}
    if not isinstance(data, dict):
        raise PullRefused(400, "Body should be a JSON object")
    return data


def text(data: Json, field: str) -> str:
    """A field's text, "" when it is missing or null; any other type is refused."""
    value = data.get(field)
    if not isinstance(value, str | None):
        raise invalid(field)
    return value or ""


def texts(data: Json, field: str) -> tuple[str, ...]:
    """A list of texts, empty when it is missing; anything else is refused."""
    value = data.get(field) or []
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise invalid(field)
    return tuple(value)
