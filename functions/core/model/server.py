"""A server that completes chats as OpenAI's API does, asked over HTTP."""

from __future__ import annotations

import json
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3.exceptions import HTTPError

from functions.core.model.chat import ChatRefused
from functions.core.model.time_left import LEAST, TimeLeft

_CONNECT_SECONDS, _LIST_SECONDS = 10, 10
_LARGEST = 16 * 1024 * 1024
"""Bytes of an answer that are read."""
_SAID = 2000
"""Bytes of a refusal that are looked at."""


class ChatServer:
    """One server. url: its base, which ends in `/v1` where it has no path; key: sent as a bearer's, "" where
    it wants none; authority: certificates (PEM) that its own is trusted by, beside the public ones; time:
    what calls may take.

    It is asked once, retrying is the workflow's business; and no redirect is followed, with which the key
    would go to another host.
    """

    def __init__(self, url: str, key: str = "", authority: str = "", time: TimeLeft | None = None) -> None:
        self.url = url.rstrip("/") if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1"
        context = ssl.create_default_context(cafile=certifi.where())
        if authority:
            context.load_verify_locations(cadata=authority)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._headers = headers | ({"Authorization": f"Bearer {key}"} if key else {})
        self._time = time or TimeLeft()
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False)

    def complete(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A chat completion, or whatever else came with status 200. Raises ChatRefused."""
        if (seconds := self._time.for_a_call()) < LEAST:
            # The step is run again, and goes on from what was answered.
            raise ChatRefused(self.url, 0, "no time is left to ask it in")
        return self._asked("POST", "chat/completions", payload, seconds)

    def models(self) -> list[str]:
        """The models that the server lists. Raises ChatRefused."""
        listed = self._asked("GET", "models", None, _LIST_SECONDS).get("data")
        rows = listed if isinstance(listed, list) else []
        return [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row]

    def _asked(
        self, method: str, path: str, payload: dict[str, Any] | None, seconds: float
    ) -> dict[str, Any]:
        until = time.monotonic() + seconds
        try:
            response = self._pool.request(
                method,
                f"{self.url}/{path}",
                body=None if payload is None else json.dumps(payload),
                headers=self._headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=seconds),
                redirect=False,
                preload_content=False,
            )
            try:
                body = _read(response, until)
            finally:
                response.close()
        except (HTTPError, OSError) as error:
            raise ChatRefused(self.url, 0, f"no answer ({_cause(error)})") from None
        if response.status != 200:
            raise ChatRefused(self.url, response.status, body[:_SAID].decode(errors="replace"))
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ChatRefused(self.url, 0, "the answer is no JSON object")
        return answer


def _read(response: urllib3.BaseHTTPResponse, until: float) -> bytes:
    """The body, as far as `_LARGEST`. Raises TimeoutError where it is not whole in time: a server that sends
    a byte now and then keeps every single read short."""
    body = b""
    while len(body) < _LARGEST and (piece := response.read1(_LARGEST - len(body))):
        if time.monotonic() > until:
            raise TimeoutError
        body += piece
    return body


def _cause(error: BaseException) -> str:
    """The kind of failure: its words hold an address in memory."""
    reason = getattr(error, "reason", None) or error.__cause__ or error.__context__ or error
    return type(reason if isinstance(reason, BaseException) else error).__name__
