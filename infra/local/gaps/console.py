"""Pages of executions and log streams: here no AWS console knows them, and messages lead to these.

They need no login, as the forge's do not: they are served on the loopback interface alone, and to requests
that name it as their host. What is shown was written by strangers, so all of it is escaped.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from functions.core.untrusted import hidden
from functions.core.workflow.history import read_visits
from functions.decide_approval import timeline

_BELOW = "/_console"
_STYLE = Path(__file__).parents[3] / "functions/decide_approval/static/style.css"
_MOST_EVENTS = 1_000
"""Of a log stream, the last ones."""
_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def address() -> str:
    """The pages' base address."""
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}{_BELOW}"


def beside(app: Any) -> Any:
    """An ASGI application that has these pages, too."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{_BELOW}/"):
            await app(scope, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        status, kind, body = await asyncio.to_thread(answer, scope["method"], host, path)
        headers = [*_HEADERS, (b"content-type", f"{kind}; charset=utf-8".encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})

    return served


def answer(method: str, host: str, path: str) -> tuple[int, str, str]:
    """Status, content type and body for a request. path: as it was sent, still encoded."""
    if host != f"127.0.0.1:{os.environ['GATEWAY_PORT']}":  # another site's name that leads here
        return 421, "text/plain", "These pages are of 127.0.0.1."
    if method not in ("GET", "HEAD"):
        return 405, "text/plain", "These pages are only for reading."
    try:
        match [unquote(part) for part in path.removeprefix(f"{_BELOW}/").split("/")]:
            case ["style.css"]:
                return 200, "text/css", _STYLE.read_text()
            case ["executions", arn]:
                return 200, "text/html", _execution(arn)
            case ["logs", group, stream]:
                return 200, "text/html", _log_stream(group, stream)
    except ClientError as error:
        return 404, "text/html", _page("missing.html", why=error.response["Error"].get("Message", ""))
    return 404, "text/html", _page("missing.html", why="")


def _execution(arn: str) -> str:
    client = _session().client("stepfunctions")
    execution = client.describe_execution(executionArn=arn)
    visits = [visit for visit in read_visits(client, arn) if visit.kind != "Choice"]
    now = execution.get("stopDate") or datetime.now(UTC)
    return _page(
        "execution.html",
        execution=execution,
        visits=list(zip(visits, timeline.rows(visits, now), strict=True)),
    )


def _log_stream(group: str, stream: str) -> str:
    events = (
        _session()
        .client("logs")
        .get_log_events(logGroupName=group, logStreamName=stream, limit=_MOST_EVENTS)["events"]
    )
    lines = [
        (datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"].rstrip())
        for event in events
    ]
    return _page("log_stream.html", group=group, stream=stream, lines=lines, most=_MOST_EVENTS)


def _session() -> Any:
    from infra.local.emulator import session

    return session(f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}")


def _page(name: str, **values: Any) -> str:
    return _templates().get_template(name).render(below=_BELOW, **values)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: hidden.spelled_out(value) if type(value) is str else value,
    )
