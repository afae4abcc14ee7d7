"""A job as it travels: one zip with what is to be found out, both trees, and the repository's
dependencies."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

VERSION = 1
"""Of jobs and reports. A driver refuses a job of another version: it may mean something else."""

BEFORE, AFTER, DEPENDENCIES, JOB = "before.tar.gz", "after.tar.gz", "dependencies.tar.gz", "job.json"
GENERATED = ".generated"
"""Folder in the archive of dependencies: files of the repository that its build would have written."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BadJob(ValueError):
    """What was given is no job that this driver knows."""


@dataclass(frozen=True)
class RunLimits:
    """Ceilings of one run."""

    seconds: float = 60.0
    """Wall clock, and per process of CPU."""
    memory_bytes: int = 1536 * 1024 * 1024
    """Address space per process."""
    disk_bytes: int = 256 * 1024 * 1024
    """Size of any one file."""
    processes: int = 128
    files: int = 256


@dataclass(frozen=True)
class Job:
    """What a driver is handed. `before` and `after` are archives (tar.gz) of the tree without and with the
    patch."""

    nonce: str
    """Comes back in the report; nothing that runs strangers' code is told it."""
    python: str
    """The interpreter that everything runs on, such as "3.12"; "" for the driver's own."""
    experiment: Mapping[str, Any]
    """See `experiment.experiment`."""
    before: bytes
    after: bytes
    dependencies: bytes = b""
    """An archive of packages that the repository's code may import, and of what lies below `GENERATED`; b""
    for none."""
    seconds: float = 780.0
    """Wall clock of all runs together: less than a Lambda function's 15 minutes."""
    limits: RunLimits = field(default_factory=RunLimits)

    def pack(self) -> bytes:
        """The zip. The same job gives the same bytes."""
        told = {
            "version": VERSION,
            "nonce": self.nonce,
            "python": self.python,
            "experiment": self.experiment,
            "seconds": self.seconds,
            "limits": asdict(self.limits),
        }
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as package:
            _add(package, JOB, json.dumps(told).encode(), zipfile.ZIP_DEFLATED)
            _add(package, BEFORE, self.before)
            _add(package, AFTER, self.after)
            _add(package, DEPENDENCIES, self.dependencies)
        return body.getvalue()

    @classmethod
    def unpack(cls, data: bytes) -> Job:
        """Raises BadJob."""
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as package:
                told = json.loads(package.read(JOB))
                before, after, dependencies = map(package.read, (BEFORE, AFTER, DEPENDENCIES))
            if told["version"] != VERSION:
                raise BadJob(f"this driver knows jobs of version {VERSION}, not {told['version']}")
            return cls(
                told["nonce"],
                told["python"],
                told["experiment"],
                before,
                after,
                dependencies,
                seconds=told["seconds"],
                limits=RunLimits(**told["limits"]),
            )
        except BadJob:
            raise
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
            raise BadJob(f"not a job: {type(error).__name__}: {error}") from error


def _add(package: zipfile.ZipFile, name: str, data: bytes, how: int = zipfile.ZIP_STORED) -> None:
    package.writestr(zipfile.ZipInfo(name, _EPOCH), data, how)


Files = Mapping[str, tarfile.TarInfo]


class Archive:
    """A tree in memory, so that nothing that runs can change what a later run gets."""

    def __init__(self, data: bytes) -> None:
        self.members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        if not data:
            return
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None or member.issym():
                    self.members[_inside(member.name)] = (member, content.read() if content else b"")

    def write(self, path: str, into: Path, place: str = "") -> None:
        """One file, where it belongs below `into`, or at another place there."""
        member, content = self.members[path]
        target = into / (place or path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if member.issym():
            target.symlink_to(member.linkname)
        else:
            target.write_bytes(content)
            target.chmod(0o777 if member.mode & 0o100 else 0o666)

    def write_all(self, into: Path, *, but: frozenset[str] = frozenset()) -> None:
        # Symbolic links last, so that nothing is ever written through one.
        for path in sorted(self.members, key=lambda path: self.members[path][0].issym()):
            if path not in but:
                self.write(path, into)


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadJob(f"an archive with {name!r}, which leads outside")
    return str(path)
