"""The sandbox's server: a Python with pytest imported, in a scrubbed environment, that forks once per run.

Started as `python -m functions.validate_patch.sandbox.server FD NAMESPACES`. Each message on the socket FD is
one run: JSON with three descriptors: where its output goes, where its report goes, and a control socket, on
which the supervisor tells the exit status and whose closing by the other side stops the run.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from functions.validate_patch.sandbox import isolation, runner, seccomp
from functions.validate_patch.sandbox.isolation import Limits
from functions.validate_patch.sandbox.report import READY

_MESSAGE_LIMIT = 16
_SETUP_FAILED = 199


def serve(fd: int, namespaces: bool) -> None:
    """Fork a supervisor per message until the other side closes the socket."""
    isolation.hide_process()
    isolation.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors tell their result themselves
    _import_pytest()
    with socket.socket(fileno=fd) as channel:
        namespaces = namespaces and _namespaces_permitted()
        channel.send(json.dumps({"namespaces": namespaces}).encode())
        while True:
            message, fds, _, _ = socket.recv_fds(channel, _MESSAGE_LIMIT, 4)
            if not message:
                return
            *pipes, job = fds
            if os.fork() == 0:
                channel.close()
                with os.fdopen(job, "rb") as file:
                    text = file.read()
                _supervise(json.loads(text), namespaces, *pipes)
            for descriptor in fds:
                os.close(descriptor)


def _import_pytest() -> None:
    from _pytest.config import default_plugins

    for name in default_plugins:
        importlib.import_module(f"_pytest.{name}")


def _namespaces_permitted() -> bool:
    """Try once, in a child, whether the kernel lets this user have its own namespaces."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            isolation.unshare()
            os.write(writer, b"1")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read() == b"1"


def _supervise(job: dict[str, Any], namespaces: bool, output: int, report: int, control: int) -> NoReturn:
    """Run the job in a child; stop it when its time is up or nobody waits any more; tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    isolation.die_with_parent()
    isolation.adopt_orphans()
    os.setsid()
    limits = Limits(**job["limits"])
    started = time.monotonic()
    entered, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(control)
        _outer(job, limits, namespaces, output, report, entered[1], go[0])
    os.close(output)
    os.close(report)
    os.close(entered[1])
    if os.read(entered[0], 1) and namespaces:
        isolation.map_ids(child)
    os.write(go[1], b"1")
    ended = _wait(child, control, started + limits.seconds)
    if not ended:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    _kill_descendants()
    exit_code = os.waitstatus_to_exitcode(status) if ended else None
    answer = {
        "exit_code": exit_code,
        "stopped": "" if ended else "time",
        "seconds": time.monotonic() - started,
    }
    with contextlib.suppress(OSError):
        os.write(control, json.dumps(answer).encode())
    os._exit(0)


def _wait(child: int, control: int, deadline: float) -> bool:
    """Whether the child ended by itself before the deadline and while somebody still wanted to know."""
    poll = select.poll()
    pidfd = os.pidfd_open(child)
    poll.register(pidfd, select.POLLIN)
    poll.register(control, select.POLLIN | select.POLLHUP)
    events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
    return any(fd == pidfd for fd, _ in events)


def _kill_descendants() -> None:
    """Kill whatever is left below this process; with a pid namespace, its init's end has done so already."""
    while left := isolation.children():
        for child in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            for _ in left:
                os.waitpid(-1, 0)


def _outer(
    job: dict[str, Any], limits: Limits, namespaces: bool, output: int, report: int, entered: int, go: int
) -> NoReturn:
    """Enter the namespaces and hand on to the process that is init in them."""
    isolation.die_with_parent()
    try:
        if namespaces:
            # There is nothing to hide any more from here on, and only of such a process may an ordinary user
            # write the id maps.
            isolation.hide_process(hidden=False)
            isolation.unshare()
        os.write(entered, b"1")
        os.close(entered)
        os.read(go, 1)
        init = os.fork()
        if init == 0:
            os.close(go)
            _init(job, limits, namespaces, output, report)
        os._exit(_exit_code_of(init))
    except OSError as error:
        os.write(output, f"sandbox: {error}\n".encode())
        os._exit(_SETUP_FAILED)


def _init(job: dict[str, Any], limits: Limits, namespaces: bool, output: int, report: int) -> NoReturn:
    """Set the worker's world up, start it, reap for it; when this process ends, everything inside does."""
    isolation.die_with_parent()
    try:
        if namespaces:
            isolation.own_root(job["tree"], limits, job["dependencies"])
        worker = os.fork()
        if worker == 0:
            _work(job, limits, namespaces, output, report)
        os.close(output)
        os.close(report)
        os._exit(_exit_code_of(worker))
    except OSError as error:
        os.write(output, f"sandbox: {error}\n".encode())
        os._exit(_SETUP_FAILED)


def _exit_code_of(child: int) -> int:
    """Wait for the child, reaping others meanwhile; a signal N is 128 + N, as in a shell."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _work(job: dict[str, Any], limits: Limits, namespaces: bool, output: int, report: int) -> NoReturn:
    """Give everything up, then run the code under test."""
    code = _SETUP_FAILED
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with Path("/dev/null").open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(report, 3)
        os.closerange(4, limits.files * 4)
        above = [] if namespaces else isolation.ancestors()
        isolation.apply_limits(limits, 0 if namespaces else isolation.processes_of_user())
        isolation.drop_privileges(namespaces=namespaces)
        seccomp.refuse(network=not namespaces, processes=above)
        root = isolation.REPO if namespaces else job["tree"]
        os.chdir(root)
        os.environ.clear()
        os.environ.update(job["env"])
        dependencies = isolation.DEPENDENCIES if namespaces and job["dependencies"] else job["dependencies"]
        if dependencies:
            os.environ["PYTHONPATH"] = dependencies
        os.write(3, READY)
        code = 1
        code = runner.run(job["task"], root, report=3, dependencies=dependencies)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - whatever strangers raise, it ends here
        sys.stderr.write(f"sandbox: {type(error).__name__}: {error}\n")
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2] == "1")
