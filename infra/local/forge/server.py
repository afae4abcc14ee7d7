"""The forge as one HTTP server on the loopback interface."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from infra.local.forge import git_http, gitlab, rest
from infra.local.forge.access import Caller, caller
from infra.local.forge.pages import Pages
from infra.local.forge.pulls import Pulls
from infra.local.forge.store import Store
from infra.local.forge.webhooks import Webhook

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_logger = logging.getLogger(__name__)

_ADDRESS = "127.0.0.1"
# Any other name in the Host header means that a web page elsewhere made its name point here (DNS rebinding).
_HOSTS = (_ADDRESS, "localhost")
_IDLE_SECONDS = 60
_POLL_SECONDS = 0.05
"""How long `stop` may take to be noticed."""


class ForgeServer:
    """Git repositories and pull requests below `directory`, served at `url` once started.

    token: what the one account authenticates with; port 0 takes a free one, which later starts use again.
    webhook: is told of what becomes of pull requests.
    """

    def __init__(
        self,
        directory: Path,
        token: str,
        port: int = 0,
        webhook: Webhook = lambda event, payload: None,
    ) -> None:
        if not token:
            raise ValueError("the forge needs a token that is not empty")
        self._store = Store(directory)
        self._pulls = Pulls(self._store, webhook)
        self._github = rest.Rest(self._store, self._pulls)
        self._gitlab = gitlab.GitLabApi(self._store, self._pulls)
        self._pages = Pages(self._store, self._pulls, token)
        self._token = token
        self._port = port
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; clone `URL/OWNER/NAME.git`. Raises RuntimeError before there is a port."""
        if not self._port:
            raise RuntimeError("the forge has no address before its first start")
        return f"http://{_ADDRESS}:{self._port}"

    def start(self) -> None:
        """Listen and serve, in threads of this process; nothing happens when it already does.

        Raises OSError when the port is taken.
        """
        if self._server is not None:
            return
        with socket.create_server((_ADDRESS, self._port), backlog=128) as listening:
            self._port = listening.getsockname()[1]
            self._server = _Server(self, listening)
        self._server.begin()

    def stop(self) -> None:
        """Stop listening and cut what is being served; nothing happens when it is not started."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.host.partition(":")[0] not in _HOSTS:
            return Response("This server answers to 127.0.0.1 only.\n", status=421, mimetype="text/plain")
        who = caller(request, self._token)
        if rest.is_api(request):
            return self._github.answer(request, who)
        if gitlab.is_api(request):
            return self._gitlab.answer(request, who)
        return self._git(request, who) or self._pages.answer(request)

    def _git(self, request: Request, who: Caller) -> Response | None:
        response = git_http.answer(request, self._store, who)
        pushed = git_http.pushed_to(request)
        if response is not None and response.status_code == 200 and pushed:
            # A push can merge a pull request, or take its branch away.
            response.call_on_close(lambda: self._pulls.repository(pushed))
        return response


class _Server(ThreadedWSGIServer):
    # Threads end with `end`, because it cuts their connections; so it can wait for them.
    daemon_threads = False

    def __init__(self, forge: ForgeServer, listening: socket.socket) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), name="forge", daemon=True
        )
        super().__init__(_ADDRESS, 0, forge, handler=_Handler, fd=listening.fileno())

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                cut(connection)
        self._thread.join()  # which closes the listening socket and waits for the requests' threads

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 # the name is werkzeug's
        _logger.log(logging.getLevelNamesMapping()[type.upper()], message, *args)


class _Handler(WSGIRequestHandler):
    timeout = _IDLE_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 # the name is werkzeug's
        # Paths are a stranger's text: %r keeps them on one line.
        _logger.debug("%r", message % args)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.log("info", '"%s" %s', getattr(self, "requestline", ""), code)


def cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError as problem:  # the client was faster
        _logger.debug("connection already closed: %s", problem)
