"""The sandbox as the step uses it: start once, run many, close."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from functions.validate_patch.sandbox.report import READY

from functions.core.errors import PermanentError
from functions.validate_patch.sandbox import isolation
from functions.validate_patch.sandbox.isolation import Limits
from functions.validate_patch.tree import EXECUTABLE, SYMLINK, Tree

_OUTPUT_TAIL = 16 * 1024
"""Bytes of output that are kept: the end, where the error is."""
_OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of output, and of report, after which a run is stopped."""
_GRACE_SECONDS = 5.0
"""How long the supervisor may take beyond its own wall clock before it is taken for dead."""
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended, as seen from outside, and what it reported from inside (not to be trusted alone)."""

    exit_code: int | None
    """None when it was stopped."""
    stopped: str
    """"" or why it was stopped: `time`, `output`."""
    seconds: float
    output: str
    """The end of what it printed, as UTF-8 with replacements."""
    report: bytes


class Sandbox:
    """A server process to run code under test. Use as a context manager; `run` may be called from threads.

    Raises PermanentError when the sandbox itself does not work: nothing about a patch follows from that.
    """

    def __init__(
        self, limits: Limits | None = None, *, namespaces: bool = True, dependencies: Path | None = None
    ) -> None:
        """`namespaces=False` does without them even where they are permitted, as on AWS Lambda.

        dependencies: a directory of packages that runs may import, and must not change.
        """
        self.limits = limits or Limits()
        self._dependencies = dependencies
        if dependencies is not None:
            dependencies.chmod(0o755)  # the worker is another user
        self._state_of_dependencies = _state(dependencies)
        self._home = Path(tempfile.mkdtemp(prefix="self-heal-"))
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_START_SECONDS)
        self._channel = ours
        code = str(Path(__file__).resolve().parents[3])
        isolation.hide_process()
        with theirs, (self._home / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.server", str(theirs.fileno()), str(int(namespaces))],
                cwd=code,
                env=_environment("/tmp") | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},  # noqa: S108 - the sandbox's own /tmp
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._namespaces: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server and with it every run; remove what it left."""
        self._channel.close()
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def namespaces(self) -> bool:
        """Whether runs have namespaces of their own. Waits for the server's first message."""
        with self._lock:
            if self._namespaces is None:
                try:
                    hello = self._channel.recv(4096)
                    self._namespaces = bool(json.loads(hello)["namespaces"])
                except (OSError, ValueError) as error:
                    log = (self._home / "server.log").read_text(errors="replace")[-2000:]
                    raise PermanentError(f"the sandbox did not start: {error}\n{log}") from error
            return self._namespaces

    @property
    def isolation(self) -> str:
        """What held the code under test, as one clause for the evidence."""
        limits = "limits on time, memory, processes, files and output; no environment"
        if self.namespaces:
            return f"own user, process, mount, network and IPC namespaces, own read-only root; {limits}"
        return (
            f"no namespaces on this platform, so its files are readable; no sockets but local ones; {limits}"
        )

    def stage(self, files: Tree) -> Path:
        """Write a tree where runs can read it, and its directories so that they can write to their copies."""
        tree = Path(tempfile.mkdtemp(dir=self._home))
        made = {tree}
        tree.chmod(0o777)
        # Symbolic links last, so that nothing is ever written through one.
        for path, file in sorted(files.items(), key=lambda item: item[1].mode == SYMLINK):
            target = tree / path
            for parent in reversed(list(target.relative_to(tree).parents)[:-1]):
                if tree / parent not in made:
                    (tree / parent).mkdir()
                    (tree / parent).chmod(0o777)
                    made.add(tree / parent)
            if file.mode == SYMLINK:
                target.symlink_to(os.fsdecode(file.data))
            else:
                target.write_bytes(file.data)
                target.chmod(0o777 if file.mode == EXECUTABLE else 0o666)
        return tree

    def run(self, tree: Path, task: dict[str, Any], seconds: float | None = None) -> Outcome:
        """Run one task (see `runner.run`) in a private copy of a staged tree."""
        limits = replace(self.limits, seconds=min(seconds or self.limits.seconds, self.limits.seconds))
        copy: Path | None = None
        temp = "/tmp"  # noqa: S108 - the sandbox's own /tmp
        dependencies = str(self._dependencies or "")
        if not self.namespaces:
            copy = Path(tempfile.mkdtemp(dir=self._home))
            shutil.copytree(tree, copy / "repo", symlinks=True)
            (copy / "tmp").mkdir()
            tree, temp = copy / "repo", str(copy / "tmp")
        job = {"tree": str(tree), "task": task, "limits": asdict(limits), "env": _environment(temp)}
        job["dependencies"] = dependencies
        try:
            outcome = self._run(json.dumps(job).encode(), limits)
            if not self.namespaces and _state(self._dependencies) != self._state_of_dependencies:
                raise PermanentError("code under test changed the dependencies that other runs share")
            return outcome
        finally:
            if copy is not None:
                shutil.rmtree(copy, ignore_errors=True)

    def _run(self, message: bytes, limits: Limits) -> Outcome:
        control, theirs = socket.socketpair()
        output, report = os.pipe(), os.pipe()
        # In a file of its own: a message on a socket is limited, and a large repository's job is not small.
        job = os.memfd_create("job")
        given = (output[1], report[1], theirs.fileno(), job)
        try:
            with open(job, "wb", closefd=False) as file:
                file.write(message)
            os.lseek(job, 0, os.SEEK_SET)
            with self._lock:
                socket.send_fds(self._channel, [b"run"], given)
        except OSError as error:
            raise PermanentError(f"the sandbox's server ended: {error}") from error
        finally:
            for descriptor in (output[1], report[1], job):
                os.close(descriptor)
            theirs.close()
        with control, os.fdopen(output[0], "rb", 0) as out, os.fdopen(report[0], "rb", 0) as rep:
            return _collect(control, out.fileno(), rep.fileno(), limits)


def _collect(control: socket.socket, output: int, report: int, limits: Limits) -> Outcome:
    """Read both pipes until the supervisor tells the end; it does so after everything inside is dead."""
    kept = {output: bytearray(), report: bytearray()}
    read = {output: 0, report: 0}
    deadline = time.monotonic() + limits.seconds + _GRACE_SECONDS
    stopped, answer = "", b""
    with selectors.DefaultSelector() as selector:
        for source in (control.fileno(), output, report):
            selector.register(source, selectors.EVENT_READ)
        while selector.get_map():
            events = selector.select(max(0.0, deadline - time.monotonic()))
            if not events:
                raise PermanentError("the sandbox's supervisor did not answer in time")
            for key, _ in events:
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fd)
                elif key.fd == control.fileno():
                    answer += chunk
                elif not stopped:
                    read[key.fd] += len(chunk)
                    kept[key.fd] += chunk
                    if key.fd == output:
                        del kept[output][:-_OUTPUT_TAIL]
                    if read[key.fd] > _OUTPUT_LIMIT:
                        stopped = "output"
                        with contextlib.suppress(OSError):
                            control.shutdown(socket.SHUT_WR)
    text = kept[output].decode(errors="replace")
    if not answer:
        raise PermanentError("the sandbox's supervisor ended without an answer")
    status = json.loads(answer)
    if not kept[report].startswith(READY):
        raise PermanentError(f"the sandbox could not be set up: {text[-500:]}")
    stopped = stopped or status["stopped"]
    return Outcome(
        exit_code=None if stopped else status["exit_code"],
        stopped=stopped,
        seconds=round(status["seconds"], 3),
        output=text,
        report=bytes(kept[report][len(READY) :]),
    )


def _state(directory: Path | None) -> int:
    """Changes when anything below a directory does: no program can set a change time (ctime) at will."""
    if directory is None:
        return 0
    entries = [directory, *directory.rglob("*")]
    return hash(tuple(sorted((str(path), path.lstat().st_ctime_ns) for path in entries)))


def _environment(temp: str) -> dict[str, str]:
    """All that code under test sees of the outside: where programs are, and what makes runs repeatable."""
    return {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")),
        "HOME": temp,
        "TMPDIR": temp,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
