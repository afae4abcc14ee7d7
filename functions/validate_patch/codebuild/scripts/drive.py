"""Runs in the build: each task in a fresh tree and bounded time; results/report.json says what happened.

    python3 -I drive.py

Standard library only, Python 3.9 or newer: it runs on whatever Python the project's image has. It judges
nothing and ends with 0 whatever the tests did. Code under test runs in the same container, as the same user:
so the answer carries a number that was on disk only before any of that code ran, and it is written after the
last of its processes is dead.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import platform
import selectors
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

ARCHIVES = ("before", "after", "tests")
OUTPUT_TAIL = 16 * 1024
OUTPUT_LIMIT = 64 * 1024 * 1024
REPORT_LIMIT = 4 * 1024 * 1024
"""Bytes of output and of report after which a run is stopped; of output, the end is kept."""
_USAGE_ERROR = 4
_OLDEST = (3, 9)
_PROBE_SECONDS = 120

# <linux/prctl.h>
_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36

# What would tell code under test whose role it runs under, and which objects that role may read and write.
_WITHHELD = ("AWS_ACCESS_KEY", "AWS_SECRET", "AWS_SESSION", "AWS_CONTAINER", "AWS_WEB_IDENTITY", "AWS_ROLE")
_WITHHELD_TOO = ("CODEBUILD_", "ECS_")
_SET = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}


def main() -> int:
    here = Path(__file__).resolve().parent
    _protect()
    job = json.loads((here / "job.json").read_bytes())
    archives = {name: (here / f"{name}.tar.gz").read_bytes() for name in ARCHIVES}
    for name in ("job.json", *(f"{name}.tar.gz" for name in ARCHIVES)):
        (here / name).unlink()
    answer: dict[str, Any] = {"nonce": job.pop("nonce"), "python": platform.python_version(), "problem": ""}
    try:
        Driver(here, archives, answer).work(job)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is told
        answer["problem"] = f"{type(error).__name__}: {error}"
    _kill_children()
    results = here / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(exist_ok=True)
    (results / "report.json").write_text(json.dumps(answer, ensure_ascii=False), "utf-8", "replace")
    return 0


class Driver:
    """The tasks of one job, one after another: services that the tests start would collide."""

    def __init__(self, here: Path, archives: dict[str, bytes], answer: dict[str, Any]) -> None:
        self._here = here
        self._repo = here / "repo"  # the same place before and after the patch, so that outputs compare
        self._archives = archives
        self._answer = answer

    def work(self, job: dict[str, Any]) -> None:
        """Fill the answer: `pytest` is its version, or with `pytest_problem` why there is none."""
        if tuple(map(int, platform.python_version_tuple()[:2])) < _OLDEST:
            raise RuntimeError(f"python3 is {platform.python_version()}: it must be 3.9 or newer")
        self._answer.update(_probe_pytest())
        reproduction, suite = job["reproduction"], job["suite"]
        self._answer["started"] = True
        if reproduction and self._can(reproduction["task"]):
            runs: dict[str, list[Any]] = {"before": [], "after": []}
            self._answer["reproduction"] = runs
            for _ in range(reproduction["times"]):
                for tree, parts in (("before", ("before", "tests")), ("after", ("after",))):
                    runs[tree].append(self._run(parts, reproduction["task"], reproduction["seconds"]))
        if suite and self._can(suite["task"]):
            task, plain = suite["task"], False
            before = self._run(("before",), task, suite["seconds"])
            if suite["plain"] and before["exit_code"] == _USAGE_ERROR:
                task, plain = suite["plain"], True
                before = self._run(("before",), task, suite["seconds"])
            after = self._run(("after",), task, suite["seconds"])
            self._answer["suite"] = {"before": before, "after": after, "plain": plain}

    def _can(self, task: dict[str, Any]) -> bool:
        return task["kind"] == "command" or bool(self._answer["pytest"])

    def _run(self, parts: tuple[str, ...], task: dict[str, Any], seconds: float) -> dict[str, Any]:
        shutil.rmtree(self._repo, ignore_errors=True)
        self._repo.mkdir()
        for part in parts:
            _unpack(self._archives[part], self._repo)
        reader, writer = os.pipe()
        given = b""
        command = task["args"]
        if task["kind"] == "pytest":
            command = [sys.executable, str(self._here / "launch.py")]
            given = json.dumps({**task, "report": writer}).encode()
        try:
            process = subprocess.Popen(
                command,
                cwd=self._repo,
                env=environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[writer],
                start_new_session=True,
            )
        except OSError as error:
            os.close(reader)
            return {"exit_code": 127, "stopped": "", "seconds": 0.0, "output": str(error), "report": ""}
        finally:
            os.close(writer)
        with process, os.fdopen(reader, "rb", 0) as report:
            return _watch(process, report.fileno(), given, seconds)


def _watch(process: subprocess.Popen[bytes], report: int, given: bytes, seconds: float) -> dict[str, Any]:
    started = time.monotonic()
    if process.stdin is not None:
        with contextlib.suppress(OSError), process.stdin as pipe:
            pipe.write(given)
    output = process.stdout.fileno() if process.stdout is not None else -1
    kept = {output: bytearray(), report: bytearray()}
    read = {output: 0, report: 0}
    stopped = ""
    with selectors.DefaultSelector() as selector:
        for source in kept:
            os.set_blocking(source, False)
            selector.register(source, selectors.EVENT_READ)

        def take(wait: float) -> bool:
            """Read what is there; whether there was anything."""
            events = selector.select(wait) if selector.get_map() else []
            for key, _ in events:
                chunk = os.read(key.fd, 65536)
                read[key.fd] += len(chunk)
                kept[key.fd] += chunk
                if key.fd == output:
                    del kept[output][:-OUTPUT_TAIL]
                if not chunk:
                    selector.unregister(key.fd)
            if not selector.get_map():
                time.sleep(min(wait, 0.01))
            return bool(events)

        while process.poll() is None and not stopped:
            take(0.05)
            if time.monotonic() - started > seconds:
                stopped = "time"
            elif read[output] > OUTPUT_LIMIT or read[report] > REPORT_LIMIT:
                stopped = "output"
        took = time.monotonic() - started
        process.kill()
        process.wait()
        _kill_children()  # they hold the pipes open, and must not live on
        while read[output] <= OUTPUT_LIMIT and read[report] <= REPORT_LIMIT and take(0):
            pass
    code = process.returncode
    return {
        "exit_code": None if stopped else code if code >= 0 else 128 - code,
        "stopped": stopped,
        "seconds": round(took, 3),
        "output": kept[output].decode("utf-8", "replace"),
        "report": kept[report][:REPORT_LIMIT].decode("utf-8", "replace"),
    }


def environment(ours: Any) -> dict[str, str]:
    """The project's own variables without the role's credentials, and what makes runs repeatable."""
    kept = {k: v for k, v in ours.items() if not k.startswith((*_WITHHELD, *_WITHHELD_TOO))}
    return {**kept, **_SET}


def _probe_pytest() -> dict[str, str]:
    """In `/`, where nothing of the repository's can pass for pytest."""
    probe = subprocess.run(
        [sys.executable, "-c", "import pytest; print(pytest.__version__)"],
        cwd="/",
        env=environment(os.environ),
        capture_output=True,
        timeout=_PROBE_SECONDS,
        check=False,
    )
    if probe.returncode == 0:
        return {"pytest": probe.stdout.decode("utf-8", "replace").strip()}
    return {"pytest": "", "pytest_problem": probe.stderr.decode("utf-8", "replace").strip()[-300:]}


def _unpack(archive: bytes, target: Path) -> None:
    """An archive that ValidatePatch packed: nothing in it leads outside."""
    safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(target, **safe)  # noqa: S202 - we packed it, and Python filters it where it can


def _protect() -> None:
    """Close this process's memory to others, and have daemons come back to it, so that it can kill them."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_children(seconds: float = 10.0) -> None:
    """Kill what is left of a run: daemons have come back to this process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = _children()
        if not left:
            return
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _children() -> list[int]:
    own, found = os.getpid(), []
    if not Path("/proc/self/stat").exists():
        return []  # a container that shows none
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):  # ended meanwhile, or no process
            # "pid (name) state ppid …": the name may itself hold spaces and brackets.
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if entry.name.isdigit() and parent == own:
                found.append(int(entry.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
