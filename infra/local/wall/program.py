"""A program of strangers' run to its end behind the wall, on this machine.

ended = run([python, "-I", "driver.py"], stdin=job, readable=[prefix], env={}, limits=Limits(),
            output_limit=16 << 20)
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from infra.local.wall.limits import WallLimits

__all__ = ["Ended", "Unprotected", "WallLimits", "holds", "run"]

_TAIL = 16 * 1024
"""Bytes of standard error that are kept: the end, where the error is."""
_GRACE_SECONDS = 10.0
"""How long the supervisor may take beyond the program's own wall clock before it is taken for dead."""

_PROBED = {
    "user": "own user",
    "processes": "process",
    "files": "mount",
    "network": "network and IPC namespaces",
    "root": "own read-only root",
    "refusals": "the system calls refused that Lambda refuses",
    "limits": "limits on time, memory, processes, files and output",
    "environment": "no environment",
}


class Unprotected(RuntimeError):
    """This machine does not let code of strangers be walled in. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, as seen from outside."""

    exit_code: int | None
    """128 + N for signal N, as in a shell; None when it was stopped."""
    stopped: str
    """"" or why it was stopped: `time`, `output`."""
    seconds: float
    stdout: bytes
    """At most `output_limit` bytes."""
    stderr_tail: str
    """The end of its standard error, as UTF-8 with replacements."""


def run(
    command: Sequence[str],
    *,
    stdin: bytes,
    readable: Sequence[Path],
    env: Mapping[str, str],
    limits: WallLimits,
    output_limit: int,
    placed: Mapping[str, Path] | None = None,
    unprotected: bool = False,
) -> Ended:
    """Run a command to its end; when this returns, everything that it started is dead.

    It runs as an unprivileged user in namespaces of its own, without any network but its own loopback; in a
    root with the system's libraries and `readable`, absolute paths shown where they are, and nothing else of
    this machine; only `/tmp` is writable, private, and its working directory; under Lambda's refusals.
    `command` starts with an absolute path. Of the environment it sees `env` alone. placed: path inside → what
    of this machine is shown there.

    output_limit: bytes of standard output, and of standard error, after which it is stopped.
    unprotected: run it in spite of everything with limits only; a directory of its own for `/tmp` in `env`.
    Raises Unprotected where the wall cannot be put up, OSError where the command cannot be started.
    """
    directory, environment = "/tmp", dict(env)  # noqa: S108 (the private one behind the wall)
    with contextlib.ExitStack() as stack:
        if unprotected:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="self-heal-"))
            environment = {k: directory if v == "/tmp" else v for k, v in env.items()}  # noqa: S108 (the same)
        job = {
            "command": list(command),
            "env": environment,
            "readable": [str(path.absolute()) for path in readable],
            "placed": {inside: str(path) for inside, path in (placed or {}).items()},
            "limits": asdict(limits),
            "directory": directory,
            "protected": not unprotected,
        }
        answer = _supervise(json.dumps(job).encode(), stdin, limits, output_limit)
    part, _, reason = answer.failure.partition(": ")
    if part == "wall":
        raise Unprotected(_advice(reason))
    if part == "command":
        raise OSError(f"cannot start {command[0]}: {reason}")
    return Ended(
        exit_code=answer.exit_code,
        stopped=answer.stopped,
        seconds=round(answer.seconds, 3),
        stdout=answer.stdout,
        stderr_tail=answer.stderr.decode(errors="replace"),
    )


@functools.cache
def holds(*, unprotected: bool = False) -> str:
    """What really holds a program that `run` runs here, as one clause for the evidence; tried once.

    Raises Unprotected where anything of it does not hold, or the wall cannot be put up.
    """
    if unprotected:
        return "nothing held it but limits on time, memory, processes, files and output, as was asked for"
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as canary:
        given = {"port": listener.getsockname()[1], "file": canary.name, "pid": os.getpid()}
        python = os.path.realpath(sys.executable)
        ended = run(
            [python, "-I", "-S", "-c", Path(__file__).with_name("probe.py").read_text(), json.dumps(given)],
            stdin=b"",
            readable=[Path(sys.base_prefix), Path(python)],
            env=_interpreter(),
            limits=WallLimits(seconds=30.0),
            output_limit=65536,
        )
    if ended.exit_code != 0:
        raise Unprotected(_advice(f"the probe ended with {ended.exit_code}: {ended.stderr_tail[-500:]}"))
    held = set(json.loads(ended.stdout))
    if missing := [name for name in _PROBED if name not in held]:
        raise Unprotected(_advice(f"code behind the wall got past it: {', '.join(missing)}"))
    words = list(_PROBED.values())
    return f"{', '.join(words[:4])}; {'; '.join(words[4:])}"


def _advice(reason: str) -> str:
    return (
        f"code of strangers cannot be walled in on this machine: {reason}. Needed are Linux 5.12 or newer, "
        "and root with CAP_SYS_ADMIN or unprivileged user namespaces (kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0; in a container "
        "--security-opt seccomp=unconfined)"
    )


class _Output:
    """What one pipe brought: its end, or its beginning, and whether it was more than the limit."""

    def __init__(self, limit: int, kept: int) -> None:
        self.limit, self.kept = limit, kept
        self.data, self.count = bytearray(), 0

    def add(self, chunk: bytes) -> bool:
        """Whether there may be more."""
        self.count += len(chunk)
        self.data += chunk
        del self.data[: -self.kept]
        return self.count <= self.limit


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the supervisor said of the end, and what was read meanwhile."""

    exit_code: int | None
    stopped: str
    seconds: float
    failure: str
    stdout: bytes
    stderr: bytes


def _supervise(job: bytes, stdin: bytes, limits: WallLimits, output_limit: int) -> _Answer:
    """Start the supervisor, and read what comes until it has said how the command ended."""
    control, theirs = socket.socketpair()
    with contextlib.ExitStack() as stack:
        stack.enter_context(control)
        stack.enter_context(theirs)
        # In files of their own: a pipe would have to be fed while the others are read.
        spec, given = (stack.enter_context(_file(content)) for content in (job, stdin))
        process = subprocess.Popen(
            [
                sys.executable,
                "-S",
                "-P",
                "-m",
                "infra.local.wall.enter",
                str(spec.fileno()),
                str(theirs.fileno()),
            ],
            env={**_interpreter(), "PYTHONPATH": str(Path(__file__).parents[3])},
            pass_fds=[spec.fileno(), theirs.fileno()],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        # Whatever happens here, the supervisor sees its socket closed, ends everything inside, then itself.
        with process, control:
            assert process.stdout and process.stderr  # noqa: S101 (for the type checker)
            kept = {
                process.stdout.fileno(): _Output(output_limit, output_limit),
                process.stderr.fileno(): _Output(output_limit, _TAIL),
            }
            answer, cut = _read(control, kept, time.monotonic() + limits.seconds + _GRACE_SECONDS)
            stdout, stderr = (bytes(output.data) for output in kept.values())
    if not answer:
        raise RuntimeError(
            f"the wall's supervisor ended without an answer: {stderr.decode(errors='replace')}"
        )
    told = json.loads(answer)
    if cut:
        told |= {"stopped": "output", "exit_code": None}
    return _Answer(**told, stdout=stdout, stderr=stderr)


def _read(control: socket.socket, kept: Mapping[int, _Output], deadline: float) -> tuple[bytes, bool]:
    """The supervisor's answer, and whether there was too much output."""
    answer, cut = b"", False
    with selectors.DefaultSelector() as selector:
        for source in (control.fileno(), *kept):
            selector.register(source, selectors.EVENT_READ)
        while selector.get_map():
            events = selector.select(max(0.0, deadline - time.monotonic()))
            if not events:
                raise RuntimeError("the wall's supervisor did not answer in time")
            for key, _ in events:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fd)
                elif key.fd == control.fileno():
                    answer += chunk
                elif not cut and not kept[key.fd].add(chunk):
                    cut = True
                    with contextlib.suppress(OSError):
                        control.shutdown(socket.SHUT_WR)
    return answer, cut


def _file(content: bytes) -> IO[bytes]:
    """A file without a name that holds `content`, at its beginning."""
    file = os.fdopen(os.memfd_create("wall"), "w+b")
    file.write(content)
    file.seek(0)
    return file


def _interpreter() -> dict[str, str]:
    """What this Python needs to start again: some are linked through LD_LIBRARY_PATH."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
