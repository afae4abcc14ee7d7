"""The fork server: the app's interpreter with pytest imported, that forks one worker per run.

Started by the driver as `PYTHON server.py FD CODE PACKAGES`: the socket to serve, the directory that holds
this package, and one that holds pytest ("" where the interpreter has its own). Its first message says what
it is; then each message with four descriptors (a run's output, its report, its job and a control socket) is
one run, and the control socket tells how the worker ended. Forking costs 10 ms; starting an interpreter and
importing pytest 300 ms.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import platform
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

PR_SET_DUMPABLE = 4
"""<linux/prctl.h>"""


def serve(fd: int, code: str, packages: str) -> None:
    """Fork a worker per message until the other side closes the socket."""
    # The script's own folder is first on the path, and holds modules that are named like others.
    sys.path[0:1] = [code]
    if packages:
        # What the interpreter has besides its standard library is not what the app has.
        sys.path[:] = [path for path in sys.path if not path.endswith(("site-packages", "dist-packages"))]
        sys.path.append(packages)
    _hide()
    # As the documentation of `gc.freeze` advises: what is imported here stays for good, so no worker looks
    # through it each time that it collects, or copies the pages that this would write to.
    gc.disable()
    hello = _hello()
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=fd) as channel:
        channel.send(json.dumps(hello).encode())
        while True:
            message, fds, _, _ = socket.recv_fds(channel, 16, 4)
            if not message:
                return
            output, report, job, control = fds
            worker = os.fork()
            if worker == 0:
                channel.close()
                os.close(control)
                _work(job, output, report)
            for descriptor in (output, report, job):
                os.close(descriptor)
            _tell(worker, control)


def _hello() -> dict[str, str]:
    found = {"python": platform.python_version(), "pytest": "", "pytest_problem": ""}
    try:
        pytest = importlib.import_module("pytest")
        for name in importlib.import_module("_pytest.config").default_plugins:
            importlib.import_module(f"_pytest.{name}")
        found["pytest"] = str(pytest.__version__)
    except Exception as error:  # noqa: BLE001 - whatever the image's pytest does, it is told
        found["pytest_problem"] = f"{type(error).__name__}: {error}"[:300]
    # Imported once for all workers; after pytest, which must be the first to see modules it may rewrite.
    for name in ("audit", "reporter", "tracer", "worker", "search.explore"):
        with contextlib.suppress(ImportError):  # the reporter's, where there is no pytest
            importlib.import_module(f"functions.harness.{name}")
    return found


def _tell(worker: int, control: int) -> None:
    """Wait for the worker, reaping others meanwhile, and tell its end."""
    with socket.socket(fileno=control) as answer:
        answer.send(b"pid %d\n" % worker)
        while True:
            pid, status = os.wait()
            if pid == worker:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
                answer.send(b"end %d\n" % code)
                return


def _work(job: int, output: int, report: int) -> NoReturn:
    """Take the limits on, then run the code under test."""
    code = 1
    try:
        with os.fdopen(job, "rb") as file:
            given: dict[str, Any] = json.loads(file.read())
        os.setsid()
        _hide(False)  # it holds nothing of ours, and programs may look into their own /proc
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _connect(output, report, given["limits"]["files"])
        os.chdir(given["root"])
        os.environ.clear()
        os.environ.update(given["env"])
        _limit(given["limits"])
        report_module = importlib.import_module("functions.harness.report")
        worker = importlib.import_module("functions.harness.worker")
        os.write(3, report_module.READY)
        code = worker.run(given["task"], given["root"], report=3, dependencies=given["dependencies"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - whatever strangers raise, it ends here
        sys.stderr.write(f"worker: {type(error).__name__}: {error}\n")
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)


def _connect(output: int, report: int, files: int) -> None:
    """Nothing to read on 0, output on 1 and 2, the report on 3, and nothing else open."""
    # Away from the numbers that they are to have.
    output, report = (os.dup2(fd, 200 + n) for n, fd in enumerate((output, report)))
    with Path("/dev/null").open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(report, 3)
    os.closerange(4, max(256, files * 4))


def _limit(limits: dict[str, Any]) -> None:
    seconds = max(1, int(limits["seconds"]) + 1)
    for kind, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["disk_bytes"]),
        (resource.RLIMIT_NPROC, limits["processes"] + _processes_of_user()),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),  # POSIX queues: the next run would find them, and nothing lists them
    ):
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _processes_of_user() -> int:
    """How many processes and threads the current user runs: the limit counts them together."""
    count, uid = 0, os.geteuid()
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # ended meanwhile
                if entry.name.isdigit() and entry.stat().st_uid == uid:
                    count += sum(1 for _ in (entry / "task").iterdir())
    return count


def _hide(hidden: bool = True) -> None:
    """Close this process's memory to others of the same user, where that may be asked for; Lambda refuses,
    and there the interpreter's file is one that nobody may read, which has the same effect."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, int(not hidden), 0, 0, 0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
