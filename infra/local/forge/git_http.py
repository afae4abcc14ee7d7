"""Smart HTTP: hands clone, fetch and push to `git http-backend` (CGI), for whoever may have them.

Only the three addresses of the smart protocol are served, and nothing a client sends reaches the backend's
environment unchecked (https://git-scm.com/docs/http-protocol, https://git-scm.com/docs/git-http-backend).
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterator
from typing import IO

from werkzeug import Request, Response
from werkzeug.datastructures import Headers

from infra.local.forge.access import Caller
from infra.local.forge.git import environment
from infra.local.forge.store import Store

_logger = logging.getLogger(__name__)

_PATH = re.compile(r"/([^/]+/[^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")
_SERVICES = ("git-upload-pack", "git-receive-pack")
# `version=2`, or any such list of keys and numbers: it becomes an environment variable.
_PROTOCOL = re.compile(r"[a-z0-9=:]{1,64}")
_CHUNK = 64 * 1024


class _Stream:
    """What the backend answers after its headers; ends the process when the client goes away.

    A server that meets a reset connection while it discards what is left of the request never calls `close`
    (Werkzeug 3.1, `run_wsgi`): then the process ends when nobody refers to this any more.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._output = output
        self._end = weakref.finalize(self, _end, process, output)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._output.read(_CHUNK):
            yield piece

    def close(self) -> None:
        self._end()


def _end(process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    output.close()
    if process.poll() is None:
        process.terminate()
    if code := process.wait():
        _logger.warning("git http-backend ended with %d; its own words are on standard error", code)


def is_git(request: Request) -> bool:
    """Whether the address is one of the smart protocol's."""
    return _PATH.fullmatch(request.path) is not None


def pushed_to(request: Request) -> str:
    """The repository that the request pushes to; "" for any other request."""
    match = _PATH.fullmatch(request.path)
    return match[1] if match and match[2] == "git-receive-pack" else ""


def answer(request: Request, store: Store, caller: Caller) -> Response | None:
    """Answer a request of the smart protocol; None when the address is not one of its three."""
    match = _PATH.fullmatch(request.path)
    if match is None:
        return None
    slug, action = match.groups()
    service = request.args.get("service", "") if action == "info/refs" else action
    if service not in _SERVICES:
        return _refusal(403, "Please upgrade your git client: this forge speaks the smart protocol only.")
    if request.method != ("GET" if action == "info/refs" else "POST"):
        return _refusal(405, "Method not allowed.")
    repository = store.find(slug)
    needs_token = repository is None or repository.private or service == "git-receive-pack"
    # As on GitHub: without the token a private repository looks like one that does not exist.
    if caller is Caller.IMPOSTOR or (needs_token and caller is Caller.ANONYMOUS):
        refusal = _refusal(
            401, "Repository not found." if caller is Caller.ANONYMOUS else "Invalid credentials."
        )
        refusal.headers["WWW-Authenticate"] = 'Basic realm="forge"'
        return refusal
    if repository is None:
        return _refusal(404, "Repository not found.")
    env = _environment(request, caller, service, action) | {
        "GIT_PROJECT_ROOT": str(store.directory.resolve()),
        "PATH_INFO": f"/{repository.slug}.git/{action}",
    }
    return _run(request, env)


def _environment(request: Request, caller: Caller, service: str, action: str) -> dict[str, str]:
    """The CGI variables that do not name the repository, made of checked values only."""
    env = environment() | {
        "GIT_HTTP_EXPORT_ALL": "1",
        "QUERY_STRING": f"service={service}" if action == "info/refs" else "",
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": f"application/x-{service}-request" if action != "info/refs" else "",
        "REMOTE_ADDR": "127.0.0.1",
    }
    if caller is Caller.BOT:
        env["REMOTE_USER"] = caller.value
    if request.headers.get("Content-Encoding", "") in ("gzip", "x-gzip"):
        env["HTTP_CONTENT_ENCODING"] = "gzip"
    protocol = request.headers.get("Git-Protocol", "")
    if _PROTOCOL.fullmatch(protocol):
        env["GIT_PROTOCOL"] = protocol
    return env


def _run(request: Request, env: dict[str, str]) -> Response:
    # The body goes through a file: its length is then known whatever the transfer encoding was, and a client
    # that sends slowly while the backend already answers cannot make the two wait for each other.
    with tempfile.TemporaryFile() as body:
        shutil.copyfileobj(request.stream, body, _CHUNK)
        env["CONTENT_LENGTH"] = str(body.tell())
        body.seek(0)
        process = subprocess.Popen(("git", "http-backend"), env=env, stdin=body, stdout=subprocess.PIPE)
    if process.stdout is None:
        raise RuntimeError("Popen gave no pipe although one was asked for")
    status, headers = _head(process.stdout)
    return Response(_Stream(process, process.stdout), status=status, headers=headers)


def _head(output: IO[bytes]) -> tuple[int, Headers]:
    """The CGI header block; 500 when the backend ended without one."""
    status, headers = 200, Headers()
    for line in iter(output.readline, b""):
        name, _, value = line.decode("latin-1").strip().partition(":")
        if not name:
            return status, headers
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.add(name, value.strip())
    return 500, headers


def _refusal(status: int, message: str) -> Response:
    return Response(message + "\n", status=status, mimetype="text/plain")
