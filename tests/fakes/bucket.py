"""A server on this machine's loopback that plays S3. Standard library alone: it also runs behind the wall."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Bucket:
    """Objects by path: what is read, what was written, and what is refused."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refused: set[str] = set()
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, str]] = []
        self.address = ""


@contextmanager
def serve(port: int = 0) -> Iterator[Bucket]:
    """A server that gives and takes objects; port: 0 for any."""
    held = Bucket()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200 if self.path in held.objects else 404, held.objects.get(self.path, b""))

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            held.headers = dict(self.headers)
            if self.path not in held.refused:
                held.objects[self.path] = data
            self._answer(200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            held.requests.append((self.command, self.path))
            status = 403 if self.path in held.refused else status
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        held.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield held
        server.shutdown()
        thread.join()
