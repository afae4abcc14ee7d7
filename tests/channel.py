"""A Slack or Teams channel as the webhooks see it: a server on this machine that takes what is posted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


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


@contextmanager
def receiving() -> Iterator[Channel]:
    """A channel that takes messages until the block ends."""
    channel = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            channel.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(channel.status)
            self.send_header("Location", f"{channel.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    channel.url = f"http://127.0.0.1:{server.server_address[1]}/services/secret-part"
    try:
        yield channel
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
