"""A server of models for the embedded run, that says what a test tells it to."""

from __future__ import annotations

import json
import threading
from typing import Any

from pytest_httpserver import HTTPServer

from infra.local.model.completion import complete
from tests.fakes.web import answered_by, as_json

PATIENCE = 240
"""Seconds until a held request is answered all the same."""


class ScriptedModel:
    """An OpenAI-compatible endpoint: says what a test tells it to, and is the repair model to all others."""

    def __init__(self) -> None:
        self.scripts: dict[str, dict[str, Any] | int] = {}
        """App → the message to answer with, or an HTTP status to fail with."""
        self.held: dict[str, threading.Event] = {}
        """App → what is waited for before it is answered."""
        self.thinks_of: set[str] = set()
        """Apps whose requests are held."""
        self._server = HTTPServer("127.0.0.1", threaded=True)
        self._server.start()
        self.url = answered_by(self._server, lambda request: as_json(*self._answer(request.json)))

    def stop(self) -> None:
        self._server.stop()

    def _answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], int]:
        text = json.dumps(request)
        for app, told in self.held.items():
            if f"service: {app}\\n" in text:
                self.thinks_of.add(app)
                told.wait(PATIENCE)
        for app, script in self.scripts.items():
            if f"service: {app}\\n" in text:
                if isinstance(script, int):
                    return {"error": {"message": "scripted failure"}}, script
                finish = "tool_calls" if script.get("tool_calls") else "stop"
                message = {"role": "assistant", "content": None, **script}
                choice = {"index": 0, "message": message, "finish_reason": finish}
                usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
                return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}, 200
        return complete(request), 200


def tool_call(name: str, arguments: str) -> dict[str, Any]:
    """A message that calls a tool; `arguments` is JSON, or what a bad model takes for it."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
