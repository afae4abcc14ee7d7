"""Processes that outlive the command which started them, ended by identity and not by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "SELFHEAL_RUN"
"""Environment variable that names the run to which a process belongs: what a start that was killed had
started, but not noted yet, is found by it."""

_START_SECONDS = 30
_STOP_SECONDS = 10

# Those that this very process started: Popen must outlive its start, and a child that ended must be reaped.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Started:
    """A process that we started. `created` guards against a number that the system has given to another."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Started:
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it still runs and is the one that we started."""
        try:
            process = psutil.Process(self.pid)
            same = process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if same else None

    def stop(self) -> None:
        """End it and what it started; does nothing if it has ended."""
        child = _children.pop(self.pid, None)
        process = self.find()
        if process is None:
            if child is not None:
                child.poll()
            return
        family = [*process.children(recursive=True), process]
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for survivor in alive:
            survivor.kill()
        psutil.wait_procs(alive, timeout=_STOP_SECONDS)
        if child is not None:
            child.wait()


def marked(run: str) -> list[psutil.Process]:
    """The processes of this user that were started for a run, and what they started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == run:
                found += [process, *process.children(recursive=True)]
        except psutil.Error:
            continue  # It has ended, or is somebody else's.
    return found


def end(processes: Sequence[psutil.Process]) -> None:
    """End processes: asked first, then made to."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
    for survivor in alive:
        with suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(alive, timeout=_STOP_SECONDS)


def start_module(module: str, *arguments: str, log: Path, ready: str, run: str = "") -> tuple[Started, str]:
    """Start `python -m module` in the background and wait until it prints a line that begins with `ready`.

    run: the run that it belongs to. Returns the process and the rest of that line. Raises RuntimeError with
    the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=Path(__file__).parents[2],
            env=_environment() | ({MARK: run} if run else {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith(ready):
                _children[process.pid] = process
                return Started.of(process.pid), line.removeprefix(ready).strip()
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise RuntimeError(f"{module} did not start:\n{log_tail(log)}")


def log_tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log file, "" when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def memory(processes: Sequence[Started]) -> int:
    """Bytes that the processes and their descendants really take: shared pages are counted once (PSS)."""
    total = 0
    for started in processes:
        root = started.find()
        if root is None:
            continue
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue  # It ended while we looked.
    return total


def _environment() -> dict[str, str]:
    """Nothing of this shell but what a Python process needs."""
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in keep if name in os.environ} | {
        "PYTHONUNBUFFERED": "1",
    }
