"""The local lane: jobs of `selfheal try` and of the tests, behind the wall on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from functions.harness import driver
from functions.harness.driver import DriverSettings
from functions.harness.interpreters import find
from functions.harness.job import Job
from functions.harness.runner import MOST_BYTES, Ran
from infra.local.wall import program
from infra.local.wall.closed import closed

_START_SECONDS = 60.0
_GIB = 1024**3
_ROOT = Path(driver.__file__).resolve().parents[2]


class LocalRunner:
    """Runs each job in a world of its own, which is gone when its report is there.

    unprotected: run jobs even where this machine cannot wall them in. Else `run` raises program.Unprotected
    there.
    """

    def __init__(self, *, unprotected: bool = False) -> None:
        self._unprotected = unprotected

    def holds(self) -> str:
        """What holds the code, as one clause for the evidence; tried once. Raises program.Unprotected."""
        return program.holds(unprotected=self._unprotected)

    def run(self, job: Job) -> Ran:
        settings = DriverSettings.of(os.environ)
        where = self.holds()
        found = find(job.python) if job.python else None
        own = Path(os.path.realpath(sys.executable))
        programs = {own, found.executable} if found else {own}
        env = {
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(
                (*(str(p.parent) for p in programs), "/usr/local/bin", "/usr/bin", "/bin")
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(_ROOT),
            "SELFHEAL_HARNESS_PACKAGES": settings.packages,
            "TMPDIR": "/tmp",  # noqa: S108 (its own)
        }
        if "LD_LIBRARY_PATH" in os.environ:
            env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        ended = program.run(
            [str(own), "-s", "-P", driver.__file__],
            stdin=job.pack(),
            readable=_readable(
                _ROOT / "functions",
                Path(sys.base_prefix),
                Path(settings.packages),
                found.prefix if found else None,
            ),
            placed={str(path): closed(path) for path in programs},
            env=env,
            limits=program.WallLimits(
                job.seconds + _START_SECONDS, memory_bytes=4 * _GIB, disk_bytes=2 * _GIB
            ),
            output_limit=MOST_BYTES,
            unprotected=self._unprotected,
        )
        if ended.stopped == "output":
            return Ran(None, where)
        how = ended.stopped or f"exit code {ended.exit_code}"
        return Ran(ended.stdout, where, f"the driver ended with {how}: {ended.stderr_tail[-300:]}")


def _readable(*paths: Path | None) -> list[Path]:
    return [path for path in paths if path is not None and str(path) not in ("", ".")]
