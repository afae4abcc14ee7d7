"""Forks the environments that run Lambda functions in Python. A process of its own.

Starting Python and importing boto3 takes a second and tens of megabytes for each function. This process does
it once; a runtime is a fork of it, which starts in milliseconds and shares those pages. It has one thread and
holds no client, so a fork is safe.

Not `multiprocessing.forkserver`: that starts with the whole environment of whoever asks it, which code inside
reads in /proc/self/environ, and its forks run the asking program's main module again.

Protocol on the inherited socket (file descriptor in argv[1]), one message each way:
    b"fork" + 3 file descriptors (log, specification, channel)  →  the environment's process id as text, or
                                                                    "!" and why there is none
    b"kill" + process id                                        →  b"ok", once all inside is dead
The specification is a file with JSON, see `Specification`. On the channel the environment's process 1 sends
b"ready" with the sockets on which its runtime API and, where it has one, its S3 endpoint are to be served;
later, when the runtime has ended, b"ended" + its status, an exit code or 128 + a signal.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypedDict

from infra.local.guest import bootstrap
from infra.local.wall import inside, kernel
from infra.local.wall.limits import GUEST
from infra.local.wall.root import enter_root

PRELOADED = (
    "boto3.session",
    "botocore.auth",
    "botocore.client",
    "botocore.endpoint",
    "botocore.handlers",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.retryhandler",
    "botocore.signers",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.data_classes",
    "awslambdaric.lambda_context",
    "awslambdaric.lambda_runtime_marshaller",
)
"""Imported once for all environments. Nothing that reads a function's environment when it is imported."""

RUNTIME_PORT = 9001
"""Of the runtime API, where the environment has a network of its own: as on Lambda."""
_LOG = 3
"""File descriptor of what the runtime logs, in the order of what is printed."""


class Specification(TypedDict):
    """One environment, as the emulator orders it."""

    environment: dict[str, str]
    placed: dict[str, str]
    """Path inside → path outside, read only: the function's code, its layers, what its image holds."""
    tmp_bytes: int
    isolated: bool
    """Without the machine's network, and closed to other processes of its user: for code of strangers."""
    endpoint_port: int
    """Where the S3 endpoint listens inside; 0 for none."""


def serve(control: socket.socket) -> None:
    """Fork and kill environments until the emulator closes the socket, then end them all."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # Keeps the collector from touching, and so copying, the shared pages.
    kernel.adopt_orphans()  # Each environment's process 1 becomes this one's child.
    environments: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 3)
        if message == b"fork":
            answer = _fork(*descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            if not answer.startswith("!"):
                environments.add(int(answer))
            control.send(answer.encode()[:1000])
        elif message.startswith(b"kill"):
            _kill(int(message[4:]), environments)
            control.send(b"ok")
        else:
            for pid in list(environments):
                _kill(pid, environments)
            return


def _kill(pid: int, environments: set[int]) -> None:
    """Kill an environment's process 1, and so all inside, and wait until they are dead. One that has ended is
    reaped here and nowhere else, so that its id cannot belong to another process by now."""
    if pid in environments:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        environments.discard(pid)


def _fork(log: int, specification: int, channel: int) -> str:
    """The id of the new environment's process 1, or "!" and a reason. The process between here and there,
    which enters the namespaces, is gone when this returns."""
    with os.fdopen(os.dup(specification), "rb") as file:
        ordered: Specification = json.load(file)
    reader, writer = os.pipe()
    adopted, adopt = os.pipe()
    outer = os.fork()
    if outer == 0:
        _close(reader, adopt)
        _outer(ordered, log, channel, writer, adopted)
    _close(writer, adopted)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(outer, 0)
    os.close(adopt)
    return answer or "!the process that sets an environment up has died"


def _outer(ordered: Specification, log: int, channel: int, writer: int, adopted: int) -> NoReturn:
    try:
        inside.separate(network=ordered["isolated"])
        init = os.fork()
        if init == 0:
            os.close(writer)
            os.read(adopted, 1)  # Until the outer process has ended and the fork server is this one's parent.
            os.close(adopted)
            _init(ordered, log, channel)
        os.write(writer, str(init).encode())
    except OSError as error:
        os.write(writer, f"!{error}".encode())
    os._exit(0)


def _init(ordered: Specification, log: int, channel: int) -> NoReturn:
    kernel.die_with_parent()
    with socket.socket(fileno=os.dup(channel)) as told:
        try:
            placed = dict(ordered["placed"])
            enter_root(_packages(), placed, tmp_bytes=ordered["tmp_bytes"], shared_memory=False)
            sockets = _listeners(ordered)
        except (OSError, ValueError) as error:
            told.send(f"failed: {error}".encode()[:1000])
            os._exit(1)
        address, port = sockets[0].getsockname()
        worker = os.fork()
        if worker == 0:
            _become_runtime(ordered, log, f"{address}:{port}")
        socket.send_fds(told, [b"ready"], [each.fileno() for each in sockets])
        for each in sockets:
            each.close()
        # What it holds of the log would keep its readers waiting.
        _close(*range(3), log)
        status = inside.wait_as_init(worker)
        with suppress(OSError):  # Nobody waits any more.
            told.send(b"ended%d" % status)
    os._exit(0)


def _listeners(ordered: Specification) -> list[socket.socket]:
    """Sockets made in this network namespace, to be served from outside of it."""
    if not ordered["isolated"]:
        return [socket.create_server(("127.0.0.1", 0))]
    socket.sethostname("localhost")
    kernel.raise_loopback()
    ports = [RUNTIME_PORT] + [ordered["endpoint_port"]] * bool(ordered["endpoint_port"])
    return [socket.create_server(("127.0.0.1", port)) for port in ports]


def _packages() -> list[str]:
    """This Python and what it imports from; not a development install of this project."""
    return [sys.prefix, sys.base_prefix, *(path for path in sys.path if "site-packages" in path)]


def _become_runtime(ordered: Specification, log: int, api: str) -> NoReturn:
    status = 1
    try:
        os.setsid()
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        for number in (1, 2, _LOG):
            os.dup2(log, number)
        os.closerange(_LOG + 1, 1024)
        inside.give_up(GUEST, dumpable=not ordered["isolated"])
        sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 (for its whole life)
        sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 (the same)
        environment = ordered["environment"] | {"AWS_LAMBDA_RUNTIME_API": api}
        _forget_this_project()
        bootstrap.run(environment, _LOG)
    except SystemExit as exit_:
        code: Any = exit_.code
        status = code if isinstance(code, int) else 0 if code is None else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)


def _forget_this_project() -> None:
    """What a deployment package lacks is missed here as it would be on AWS."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "infra"]:
        del sys.modules[name]


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        serve(inherited)
