from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from courier.settings import Settings

log = logging.getLogger(__name__)

Post = Callable[[str, bytes], Awaitable[int]]
Handler = Callable[[Mapping[str, Any]], None]


class DeliveryFailed(Exception):
    """The receiver took none of the tries."""


async def deliver(post: Post, settings: Settings, body: bytes) -> int:
    """The status of the try that was taken. Raises DeliveryFailed when none was."""
    for number in range(settings.retries + 1):
        status = await post(settings.url, body)
        if status < 500:
            taken = status
            break
        log.warning("try %d: %d", number + 1, status)
    return taken


def sign(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signature(headers: Mapping[str, str]) -> str | None:
    """The signature that came with a request, None for one that is not signed."""
    return headers["X-Signature"]


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request was signed with this secret."""
    given = signature(headers)
    return given is not None and hmac.compare_digest(given, sign(secret, body))


class Bus:
    """Hands events to those who subscribed."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}

    def subscribe(self, kind: str, handler: Handler) -> None:
        self._handlers.setdefault(kind, []).append(handler)

    def publish(self, kind: str, event: Mapping[str, Any]) -> int:
        """How many handlers took the event."""
        handlers = self._handlers[kind]
        for handler in handlers:
            handler(event)
        return len(handlers)
