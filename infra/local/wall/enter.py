"""Runs one command behind the wall. A process of its own: `python -m infra.local.wall.enter SPEC CONTROL`.

SPEC is a descriptor of a file with the job as JSON; standard input, output and error are the command's. On
the socket CONTROL it answers, once everything inside is dead, how the command ended; it stops the command
when its time is up, or when the other side closes the socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from infra.local.wall import inside, kernel, refusals
from infra.local.wall.limits import WallLimits, apply
from infra.local.wall.root import enter_root

_FAILED = 199


def main(spec: int, control: int) -> None:
    """Supervise: fork the outer process, wait, end what is left, answer."""
    with os.fdopen(spec, "rb") as file:
        job = json.load(file)
    limits = WallLimits(**job["limits"])
    with socket.socket(fileno=control) as channel:
        channel.set_inheritable(False)
        # Without them the outer process says so; where no wall is asked for, they are missed by nobody.
        with contextlib.suppress(OSError):
            kernel.set_dumpable(False)
            kernel.adopt_orphans()
        started = time.monotonic()
        trouble, told = os.pipe()  # As for an exec that fails: closed by the one that succeeds.
        outer = os.fork()
        if outer == 0:
            channel.close()
            _outer(job, limits, told)
        os.close(told)
        ended = _wait(outer, channel, started + limits.seconds)
        if not ended:
            os.kill(outer, signal.SIGKILL)
        status = os.waitpid(outer, 0)[1]
        _kill_descendants()
        with os.fdopen(trouble, "rb") as pipe:
            failure = pipe.read().decode()
        answer = {
            "exit_code": os.waitstatus_to_exitcode(status) if ended else None,
            "stopped": "" if ended else "time",
            "seconds": time.monotonic() - started,
            "failure": failure,
        }
        with contextlib.suppress(OSError):  # Nobody waits any more.
            channel.sendall(json.dumps(answer).encode())


def _wait(child: int, control: socket.socket, deadline: float) -> bool:
    """Whether the child ended by itself before the deadline and while somebody still wanted to know."""
    poll = select.poll()
    pidfd = os.pidfd_open(child)
    poll.register(pidfd, select.POLLIN)
    poll.register(control, select.POLLIN | select.POLLHUP)
    events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
    return any(fd == pidfd for fd, _ in events)


def _kill_descendants() -> None:
    """Kill whatever is left below this process; the end of process 1 inside has done so behind the wall."""
    while left := _children():
        for child in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            for _ in left:
                os.waitpid(-1, 0)


def _children() -> list[int]:
    own, found = os.getpid(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # ended meanwhile
            # "pid (name) state ppid …": the name may itself hold spaces and brackets.
            if entry.name.isdigit() and own == int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            ):
                found.append(int(entry.name))
    return found


def _outer(job: dict[str, Any], limits: WallLimits, told: int) -> NoReturn:
    with _telling(told, "wall"):
        if not job["protected"]:
            _command(job, limits, told)
        kernel.die_with_parent()
        kernel.set_dumpable(True)  # Only of such a process may an ordinary user map the ids.
        inside.separate(network=True)
        init = os.fork()
        if init == 0:
            with _telling(told, "wall"):
                kernel.die_with_parent()
                kernel.set_dumpable(False)
                _init(job, limits, told)
        os.close(told)
        os._exit(inside.wait_as_init(init))


def _init(job: dict[str, Any], limits: WallLimits, told: int) -> NoReturn:
    socket.sethostname("sandbox")
    enter_root(job["readable"], job["placed"], tmp_bytes=limits.disk_bytes, shared_memory=True)
    kernel.raise_loopback()
    worker = os.fork()
    if worker == 0:
        _command(job, limits, told)
    os.close(told)
    # What it holds of the command's descriptors would keep readers waiting.
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    os._exit(inside.wait_as_init(worker))


def _command(job: dict[str, Any], limits: WallLimits, told: int) -> NoReturn:
    command, environment = job["command"], job["env"]
    with _telling(told, "wall"):
        os.setsid()
        os.umask(0o022)
        os.chdir(job["directory"])
        # Python ignores these; what is executed would inherit that.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if job["protected"]:
            inside.give_up(limits.ceilings())
        else:
            apply(limits.ceilings())
            with contextlib.suppress(OSError):
                kernel.forbid_new_privileges()
                refusals.refuse()
    with _telling(told, "command"):
        os.execve(command[0], command, environment)  # noqa: S606 (that is what it is for)


@contextlib.contextmanager
def _telling(told: int, part: str) -> Any:
    """Tell of an error in this part of the set-up, and end."""
    try:
        yield
    except (OSError, ValueError) as error:
        os.write(told, f"{part}: {error}".encode())
        os._exit(_FAILED)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
