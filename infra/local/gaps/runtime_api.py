"""Lambda's runtime API, as one environment sees it; served here, on a socket that its wall made.

As documented at https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, and as strict about turns:
`next` while an invocation runs, or while another `next` waits, is refused with 403 (InvalidStateTransition);
an answer for any other request id than that of the running invocation with 400 (InvalidRequestID). Whoever
reaches it inside without that id can neither take an invocation nor answer one.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

_VERSION = "/2018-06-01/runtime"
_ANSWER = re.compile(rf"{_VERSION}/invocation/(?P<id>[^/]+)/(?P<kind>response|error)")
_MAX_BYTES = 6 * 1024 * 1024 + 100
"""Of a response: what Lambda's own message names. Errors are held to it too."""
_SECONDS = 10.0
"""How long a client may take to send its request."""
_CLIENTS = 32
"""At the same time; more are turned away."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the runtime is asked."""

    request_id: str
    event: bytes
    arn: str
    deadline: float
    """Epoch seconds."""
    trace_id: str = ""
    tenant: str = ""

    def headers(self) -> dict[str, str]:
        named = {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Lambda-Runtime-Trace-Id": self.trace_id,
            "Lambda-Runtime-Aws-Tenant-Id": self.tenant,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended: `response`, `error`, `init`, `ended` or `timeout`."""

    kind: str
    body: Any = None
    """The payload; of `ended` the exit status of the runtime."""


class RuntimeApi:
    """The API of one environment. `invoke` is called by the emulator, everything else by what is inside."""

    def __init__(self, listener: socket.socket) -> None:
        self._changed = threading.Condition()
        self._asked = 0
        """How many `next` wait: never more than one."""
        self._started = False
        self._closed = False
        self._offered: Invocation | None = None
        self._running = ""
        """Request id of the running invocation."""
        self._answer: InvocationResult | None = None
        """Of the running invocation, or of the initialisation."""
        self._server = Server(listener, _handler(self))  # The runtime may be asking already.

    def invoke(self, invocation: Invocation, seconds: float) -> InvocationResult:
        """Hand the invocation to the runtime and wait at most that long for how it ends."""
        with self._changed:
            self._offered = invocation
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._answer is not None, seconds)
            answer, self._answer = self._answer, None
            self._offered = None
            return answer if done and answer else InvocationResult("timeout")

    @property
    def alive(self) -> bool:
        """Whether there still is a runtime."""
        with self._changed:
            return not self._closed

    def ended(self, status: int) -> None:
        """The runtime has ended; an answer that it gave before counts."""
        with self._changed:
            self._answer = self._answer or InvocationResult("ended", status)
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        self._server.close()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def next(self) -> Invocation | None:
        """Wait for an invocation. None when it is not the runtime's turn, or the environment ends."""
        with self._changed:
            if self._asked or self._running or self._closed:
                return None
            self._asked, self._started = 1, True
            try:
                self._changed.wait_for(lambda: self._offered or self._closed)
                offered, self._offered = self._offered, None
                if offered and not self._closed:
                    self._running = offered.request_id
                    return offered
                return None
            finally:
                self._asked = 0

    def finish(self, request_id: str, kind: str, body: Any) -> bool:
        """Whether this was the running invocation."""
        with self._changed:
            if not self._running or request_id != self._running:
                return False
            self._running, self._answer = "", InvocationResult(kind, body)
            self._changed.notify_all()
            return True

    def fail_to_start(self, body: Any) -> bool:
        """Whether the runtime was still starting."""
        with self._changed:
            if self._started or self._answer:
                return False
            self._started, self._answer = True, InvocationResult("init", body)
            self._changed.notify_all()
            return True


class Server:
    """Serves a socket that another process made. A thread per connection, one request each."""

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        self._listener = listener
        self._handler = handler
        self._free = threading.Semaphore(_CLIENTS)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Wakes the thread that accepts.
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()
            else:
                connection.close()

    def _serve(self, connection: socket.socket, address: Any) -> None:
        with connection:
            connection.settimeout(_SECONDS)
            try:
                self._handler(connection, address, self)  # type: ignore[arg-type]  # It only keeps the server.
            except (OSError, ValueError):
                pass  # The client has gone, or sent what is not HTTP.
            finally:
                self._free.release()


class RequestHandler(BaseHTTPRequestHandler):
    """One request of a client that is not to be trusted."""

    server_version, sys_version = "", ""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (the base class's name)
        """Nothing: the emulator's log is not written from inside."""

    def content(self, limit: int) -> bytes | None:
        """The body; None when it is longer than `limit`, or its length is not said. Read in any case, up to
        ten times the limit: a client that is still sending would not see the answer."""
        said = self.headers.get("Content-Length", "0")
        length = int(said) if said.isascii() and said.isdigit() else limit + 1
        if length <= limit:
            return self.rfile.read(length)
        left = min(length, 10 * limit)
        while left > 0 and (chunk := self.rfile.read(min(left, 65536))):
            left -= len(chunk)
        return None

    def respond(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Handler(RequestHandler):
    api: ClassVar[RuntimeApi]

    def do_GET(self) -> None:
        if self.path != f"{_VERSION}/invocation/next":
            return self._refuse(404, "NotFound", "there is no such resource")
        invocation = self.api.next()
        if invocation is None:
            return self._refuse(403, "InvalidStateTransition", "it is not the runtime's turn")
        headers = invocation.headers() | {"Content-Type": "application/json"}
        return self.respond(200, invocation.event, headers)

    def do_POST(self) -> None:
        content = self.content(_MAX_BYTES)
        if content is None:
            return self._refuse_size()
        try:
            body = json.loads(content or b"null")
        except ValueError:
            return self._refuse(400, "InvalidRequest", "the payload is not JSON")
        if self.path == f"{_VERSION}/init/error":
            if not self.api.fail_to_start(body):
                return self._refuse(403, "InvalidStateTransition", "the runtime has started")
        elif answer := _ANSWER.fullmatch(self.path):
            if not self.api.finish(answer["id"], answer["kind"], body):
                return self._refuse(400, "InvalidRequestID", "this is not the running invocation")
        else:
            return self._refuse(404, "NotFound", "there is no such resource")
        return self.respond(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _refuse_size(self) -> None:
        """An invocation that answers too much has failed."""
        message = f"Response payload size exceeded maximum allowed payload size ({_MAX_BYTES} bytes)."
        if answer := _ANSWER.fullmatch(self.path):
            self.api.finish(
                answer["id"],
                "error",
                {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message},
            )
        self._refuse(413, "RequestEntityTooLarge", message)

    def _refuse(self, status: int, error_type: str, message: str) -> None:
        body = {"errorType": error_type, "errorMessage": message}
        self.respond(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _handler(api_: RuntimeApi) -> type[_Handler]:
    class Handler(_Handler):
        api = api_

    return Handler
