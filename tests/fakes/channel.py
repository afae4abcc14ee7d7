"""A Slack or Teams channel as the webhooks see it: a server on this machine that takes what is posted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.fakes.web import answered_by


@dataclass
class Channel:
    """What was posted, in order; `status` is what it answers."""

    url: str = ""
    status: int = 200
    posted: list[dict[str, Any]] = field(default_factory=list)

    @property
    def webhooks(self) -> str:
        """One of each kind, as an app's parameter holds them."""
        return f"slack {self.url}/slack\nteams {self.url}/teams"

    @property
    def texts(self) -> list[str]:
        return [json.dumps(message, ensure_ascii=False) for message in self.posted]


def receiving(server: HTTPServer) -> Channel:
    """A channel that takes messages as long as the server runs."""
    channel = Channel()

    def answer(request: Request) -> Response:
        channel.posted.append(request.json)
        return Response(status=channel.status, headers={"Location": f"{channel.url}/elsewhere"})

    channel.url = f"{answered_by(server, answer, '/services/secret-part(?:/.*)?')}/services/secret-part"
    return channel
