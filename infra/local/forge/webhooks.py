"""What the forge tells of by itself, as GitHub's webhooks do, so that nobody has to ask it all the time.

A payload has of GitHub's fields those that its reader goes by
(https://docs.github.com/webhooks/webhook-events-and-payloads).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_logger = logging.getLogger(__name__)

Webhook = Callable[[str, dict[str, Any]], None]
"""Takes the event's name, such as `pull_request`, and its payload; returns at once."""


class ToEventBridge:
    """Puts what is told on the default event bus of an AWS endpoint, in the form that EventBridge's own quick
    start for GitHub gives to it: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-saas-furls.html.

    One that cannot be delivered is noted and lost, as GitHub's are.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="webhooks")

    def __call__(self, event: str, payload: dict[str, Any]) -> None:
        self._threads.submit(self._put, event, payload)

    def _put(self, event: str, payload: dict[str, Any]) -> None:
        from infra.local import emulator  # takes a while: only when something is told

        entry: Any = {"Source": "github.com", "DetailType": event, "Detail": json.dumps(payload)}
        try:
            emulator.session(self._endpoint).client("events").put_events(Entries=[entry])
        except Exception:  # whatever it is, the forge goes on
            _logger.exception("%s could not be told", event)

    def end(self) -> None:
        self._threads.shutdown(cancel_futures=True)
