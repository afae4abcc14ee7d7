"""The driver: takes a job, runs its experiment, gives a report. It never runs strangers' code itself.

    python driver.py < job.zip > report.json

Runs follow one another, never side by side: each gets its tree afresh from memory, at the same place so that
outputs compare, and before the next one starts everything else that the job started is dead. So no run can
reach into another. What this process holds (the job's nonce, and on Lambda the request that it answers) is
closed to code under test where the kernel is asked to close it, or where nobody may read the interpreter's
file.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from functions.harness import processes
from functions.harness.experiment import experiment, names_in
from functions.harness.interpreters import DIRECTORY, find, missing
from functions.harness.job import GENERATED, VERSION, Archive, BadJob, Job, RunLimits
from functions.harness.litter import Litter
from functions.harness.outcome import RunOutcome
from functions.harness.proof import Nonsense
from functions.harness.request import RunRequest
from functions.harness.watch import Broken, Watch

_CODE = str(Path(__file__).resolve().parents[2])
_START_SECONDS = 60.0
_TEMPORARY = Path("/tmp")  # noqa: S108 - every lane has one for the job alone, or says another
_LEAST_SECONDS = 0.5
"""With less than this left no run is started."""


# What would tell code under test whose role it runs under, and which objects that role may read and write.
_WITHHELD = ("AWS_", "CODEBUILD_", "ECS_", "LAMBDA_", "_HANDLER", "_X_AMZN", "_LAMBDA", "SELFHEAL_")
_KEPT_ON_LAMBDA = ("LD_LIBRARY_PATH",)
"""AWS's own Python is linked through it: children need it, too."""


@dataclass(frozen=True)
class DriverSettings:
    """Where the driver runs."""

    packages: str = ""
    """A directory that holds pytest; "" where the interpreters have their own."""
    keep_environment: bool = False
    """Whether runs get this process's environment, without what tells of a role: in a project of the app's
    own the tests may need it. Else they get nothing but what makes runs repeatable."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> DriverSettings:
        """As the lane says in `SELFHEAL_HARNESS_PACKAGES` and `SELFHEAL_KEEP_ENVIRONMENT`."""
        own = Path(sys.prefix) / "harness"
        packages = environment.get("SELFHEAL_HARNESS_PACKAGES") or (str(own) if own.is_dir() else "")
        return cls(packages, environment.get("SELFHEAL_KEEP_ENVIRONMENT") == "1")


def drive(data: bytes, settings: DriverSettings) -> bytes:
    """Run a job to its end or as far as its time allows; the report as JSON. Never raises for what strangers
    did.

    The report: `version`, `nonce`, `python` (full version), `pytest` and `pytest_problem`, `problem` (why it
    could not go on, or ""), `started` (whether code under test was run), `ended` ("" or `time`: there was
    not enough for what is missing), and `outcomes` in order. Raises BadJob.
    """
    job = Job.unpack(data)
    report: dict[str, Any] = {"version": VERSION, "nonce": job.nonce, "python": "", "pytest": ""}
    report.update(pytest_problem="", problem="", started=False, ended="", outcomes=[])
    try:
        with Driver(job, settings) as driver:
            report.update(driver.hello, started=True)
            report["ended"] = driver.work(report["outcomes"])
    except Broken as error:
        report["problem"] = str(error)
    return json.dumps(report, ensure_ascii=False).encode("utf-8", "replace")


class Driver:
    """One job's fork server and its runs. Raises Broken where the harness does not work."""

    def __init__(self, job: Job, settings: DriverSettings) -> None:
        self._deadline = time.monotonic() + job.seconds
        self._job = job
        self._settings = settings
        self._adopts = processes.adopt_orphans()
        self._there = processes.of_user()
        temporary = Path(tempfile.gettempdir())
        self._litter = Litter(temporary, alone=temporary == _TEMPORARY)
        self._before, self._after = Archive(job.before), Archive(job.after)
        self._python = self._interpreter()
        self._home = Path(tempfile.mkdtemp(prefix="self-heal-"))
        self._repo, self._temp = self._home / "repo", self._home / "tmp"
        given = Archive(job.dependencies)
        self._generated = {p: p.partition("/")[2] for p in given.members if p.startswith(f"{GENERATED}/")}
        self._given = given
        self._dependencies = self._unpacked()
        self._state_of_dependencies = _state(self._dependencies)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(_START_SECONDS)
        self._log = self._home / "server.log"
        with theirs, self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [
                    self._python,
                    "-s",
                    str(Path(__file__).with_name("server.py")),
                    str(theirs.fileno()),
                    _CODE,
                    settings.packages,
                ],
                cwd="/",
                env=self._environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.hello = self._greeted()
        self._litter.keep(self._home)
        self._traits = self._traits_now()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        """End the server and with it every run; remove what they left."""
        self._channel.close()
        self._server.kill()
        self._server.wait()
        with contextlib.suppress(Broken):
            self._kill_strays()
        shutil.rmtree(self._home, ignore_errors=True)

    def work(self, outcomes: list[dict[str, Any]]) -> str:
        """Run what the experiment asks for; what comes out is added to `outcomes`. Why it ended early, or
        ""."""
        asked = experiment(
            self._job.experiment, names_in(self._before.members), pytest=bool(self.hello["pytest"])
        )
        run = next(asked, None)
        while run is not None:
            seconds = min(run.seconds, self._deadline - time.monotonic())
            if seconds < _LEAST_SECONDS:
                return "time"
            try:
                outcome = self.run(run, seconds)
            except OSError as error:
                raise Broken(f"a run could not be prepared: {error}") from error
            outcomes.append(outcome.to_json())
            try:
                run = asked.send(outcome)
            except StopIteration:
                return ""
            except Nonsense:
                return ""  # what code under test reported is none; whoever judges finds the same
        return ""

    def run(self, run: RunRequest, seconds: float) -> RunOutcome:
        """One run in a tree of its own, which is gone afterwards."""
        shutil.rmtree(self._repo, ignore_errors=True)
        shutil.rmtree(self._temp, ignore_errors=True)
        self._stage(run)
        self._temp.mkdir(mode=0o777)
        limits = RunLimits(**{**asdict(self._job.limits), "seconds": seconds})
        given = {
            "root": str(self._repo),
            "task": run.task,
            "limits": asdict(limits),
            "env": self._environment(),
            "dependencies": str(self._dependencies or ""),
        }
        try:
            return self._run(json.dumps(given).encode(), limits)
        finally:
            self._kill_strays()
            self._litter.clear()
            if self._traits_now() != self._traits:
                raise Broken(
                    "a run changed how what runs it is run: its priority, its processors or its limits"
                )
            if _state(self._dependencies) != self._state_of_dependencies:
                # The next run gets them as they were given.
                shutil.rmtree(self._home / "dependencies", ignore_errors=True)
                self._dependencies = self._unpacked()
                self._state_of_dependencies = _state(self._dependencies)

    def _stage(self, run: RunRequest) -> None:
        """The run's tree: one of the two, with files of the other one, and with tests that were found."""
        self._repo.mkdir(mode=0o777)
        base, other = (self._before, self._after) if run.tree == "before" else (self._after, self._before)
        base.write_all(self._repo, but=frozenset((*run.taken, *run.added, *run.left_out)))
        for path in run.taken:
            other.write(path, self._repo)
        for path, place in self._generated.items():
            if not (self._repo / place).exists():
                self._given.write(path, self._repo, place)
        for path, text in run.added.items():
            target = self._repo / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")

    def _run(self, message: bytes, limits: RunLimits) -> RunOutcome:
        control, theirs = socket.socketpair()
        output, report = os.pipe(), os.pipe()
        job, name = tempfile.mkstemp(dir=self._home)
        given = (output[1], report[1], job, theirs.fileno())
        try:
            Path(name).unlink()
            with open(job, "wb", closefd=False) as file:
                file.write(message)
            os.lseek(job, 0, os.SEEK_SET)
            socket.send_fds(self._channel, [b"run"], given)
        except OSError as error:
            raise Broken(f"the fork server ended: {error}\n{self._said()}") from error
        finally:
            for descriptor in (output[1], report[1], job):
                os.close(descriptor)
            theirs.close()
        with control, os.fdopen(output[0], "rb", 0) as out, os.fdopen(report[0], "rb", 0) as rep:
            return Watch(control, out.fileno(), rep.fileno(), limits.seconds, self._kill_strays).outcome()

    def _traits_now(self) -> tuple[object, ...]:
        with contextlib.suppress(OSError):  # the server has ended, which the next run finds out
            return processes.traits(self._server.pid), processes.traits(os.getpid())
        return ()

    def _interpreter(self) -> str:
        own = "{}.{}".format(*sys.version_info[:2])
        # A project's image may have its packages in a virtual environment, which is this one.
        if not self._job.python or (self._job.python == own and DIRECTORY not in os.environ):
            return sys.executable  # as it was started: a virtual environment has the tests' packages
        found = find(self._job.python)
        if found is None:
            raise Broken(missing(self._job.python))
        return str(found.executable)

    def _greeted(self) -> dict[str, str]:
        try:
            hello: dict[str, str] = json.loads(self._channel.recv(4096))
        except (OSError, ValueError) as error:
            self.__exit__()
            raise Broken(f"the fork server did not start: {error}\n{self._said()}") from error
        return hello

    def _said(self) -> str:
        with contextlib.suppress(OSError):
            return self._log.read_text(errors="replace")[-1000:]
        return ""

    def _unpacked(self) -> Path | None:
        if not self._given.members:
            return None
        folder = self._home / "dependencies"
        folder.mkdir(exist_ok=True)
        self._given.write_all(folder, but=frozenset(self._generated))
        return folder

    def _environment(self) -> dict[str, str]:
        """All that code under test sees of the outside: where programs are, and what makes runs
        repeatable."""
        kept = dict(os.environ) if self._settings.keep_environment else {}
        kept = {k: v for k, v in kept.items() if not k.startswith(_WITHHELD)}
        kept.update({k: os.environ[k] for k in _KEPT_ON_LAMBDA if k in os.environ})
        commands = [str(self._dependencies / "bin")] if self._dependencies else []
        path = kept.get("PATH", os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin")))
        return {
            "LANG": "C.UTF-8",
            **kept,
            "PATH": os.pathsep.join((*commands, str(Path(self._python).parent), path)),
            "HOME": str(self._temp),
            "TMPDIR": str(self._temp),
            "TZ": "UTC",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
        }

    def _kill_strays(self, seconds: float = 10.0) -> None:
        """Kill what is left of a run, until nothing is.

        Orphans come back to this process where it may ask for that. Where it may not, as on Lambda, every
        process of this user counts that was not there before the job: nothing else starts any there.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            keep = {self._server.pid} if hasattr(self, "_server") else set()
            found = processes.descendants() if self._adopts else processes.of_user() - self._there
            left = {pid for pid in found - keep if processes.lives(pid)}
            if not left:
                return
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._reap(found - keep)
            time.sleep(0.001)
        raise Broken("what a run left behind could not be ended")

    def _reap(self, pids: set[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _state(directory: Path | None) -> int:
    """Changes when anything below a directory does: no program can set a change time (ctime) at will."""
    if directory is None:
        return 0
    entries = [directory, *directory.rglob("*")]
    return hash(tuple(sorted((str(path), path.lstat().st_ctime_ns) for path in entries)))


def main() -> int:
    """Read a job, write its report."""
    try:
        report = drive(sys.stdin.buffer.read(), DriverSettings.of(os.environ))
    except BadJob as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.buffer.write(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
