"""The runner inside a Lambda MicroVM: waits for the run hook, drives its one job, leaves the report and ends.

    python -m functions.runner.microvm [--host ADDRESS] [--port PORT]

It starts while the image is built and is frozen there; each machine goes on from that point. The platform
posts lifecycle hooks to `/aws/lambda-microvms/runtime/v1/<hook>`, and takes any status but 200 for a failure.
https://docs.aws.amazon.com/lambda/latest/dg/microvms-launching.html

The run hook has 60 seconds, so it fetches the job and answers; the job itself comes after. Where there is no
job the hook fails, and so does the machine's start. Code under test reaches this server, too: it tells nobody
anything, and takes no second job.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

from functions.harness.driver import DriverSettings, drive
from functions.harness.job import BadJob, Job
from functions.runner.delivery import JobUnreachable, ReportUndelivered, deliver, fetch

PORT = 9000
_MOST_BODY = 64 * 1024
"""Of a hook's body: the platform's payloads have at most 16 KB."""


class NoOrder(ValueError):
    """A run hook's body names no job."""


@dataclass(frozen=True)
class MachineOrder:
    """What this machine is for."""

    job: bytes
    report: str
    """The address to leave the report at."""


def addresses_in(body: bytes) -> tuple[str, str]:
    """(job, report) of a run hook's body: `{"microvmId", "runHookPayload"}`, or, as the API's reference says,
    the payload alone. Raises NoOrder."""
    try:
        packed = json.loads(body)["runHookPayload"] if body.startswith(b"{") else body
        unpacked = zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), _MOST_BODY)
        told = json.loads(unpacked)
        job, report = told["job"], told["report"]
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        raise NoOrder(f"not a run hook's body: {type(error).__name__}") from None
    if not all(isinstance(a, str) and a.startswith(("https://", "http://")) for a in (job, report)):
        raise NoOrder("no addresses")
    return job, report


class Hooks(ThreadingHTTPServer):
    """Answers the platform, and takes one order."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.orders: SimpleQueue[MachineOrder | None] = SimpleQueue()
        """The one order, or None where its job could not be had."""
        self._free = threading.Lock()

    def take(self, body: bytes) -> tuple[HTTPStatus, MachineOrder | None]:
        """The status for a run hook, and the order where it is one."""
        try:
            job, report = addresses_in(body)
        except NoOrder:
            return HTTPStatus.BAD_REQUEST, None
        if not self._free.acquire(blocking=False):
            return HTTPStatus.CONFLICT, None
        try:
            data = fetch(job)
            Job.unpack(data)
        except (JobUnreachable, BadJob):
            return HTTPStatus.BAD_GATEWAY, None
        return HTTPStatus.OK, MachineOrder(data, report)


class _Handler(BaseHTTPRequestHandler):
    server: Hooks
    timeout = 10.0
    """Seconds for a request to come."""

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        if not self.path.rstrip("/").endswith("/run"):
            self._answer(HTTPStatus.OK)
            return
        status, order = self.server.take(body)
        # The platform hears first: what runs then may end this server.
        self._answer(status)
        if status in (HTTPStatus.OK, HTTPStatus.BAD_GATEWAY):
            self.server.orders.put(order)

    def _body(self) -> bytes | None:
        """The request's body; None where it was refused."""
        told = self.headers.get("Content-Length", "")
        if not (told.isascii() and told.isdigit()):
            self._answer(HTTPStatus.LENGTH_REQUIRED)
            return None
        if len(told) > 9 or int(told) > _MOST_BODY:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        return self.rfile.read(int(told))

    def _answer(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing is logged: addresses are secrets, and nobody reads it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the job has ended: 0, or 1 where it could not be had or its report not be left."""
    parser = argparse.ArgumentParser(description="Run one job that a MicroVM's run hook names.")
    # Of the machine alone, and its network has no way in; the platform's agent need not come by loopback.
    parser.add_argument("--host", default="0.0.0.0", help="default: all of the machine")  # noqa: S104 - as above
    parser.add_argument("--port", type=int, default=PORT, help="0 for any; default: %(default)s")
    given = parser.parse_args(arguments)
    with Hooks((given.host, given.port)) as hooks:
        threading.Thread(target=hooks.serve_forever, daemon=True).start()
        print(f"listening on port {hooks.server_port}", flush=True)
        try:
            order = hooks.orders.get()
            if order is None:
                return 1
            deliver(order.report, drive(order.job, DriverSettings.of(os.environ)))
        except ReportUndelivered:
            return 1
        finally:
            hooks.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
