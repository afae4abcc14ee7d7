"""Source archives: a tree of files as one deterministic tar.gz, and the safe way back.

The same tree always gives the same bytes: members are sorted, and times, owners and other modes than
"executable or not" are dropped. An archive is read as if a stranger had made it: nothing in it can name a
place outside the directory it is unpacked into, and its size and member count are bounded before use.
"""

from __future__ import annotations

import gzip
import io
import os
import posixpath
import tarfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO

from functions.core.notify.counts import counted
from functions.core.workflow.errors import ArchiveUnsafe, SourceTooLarge

# Level 6 takes twice the time of level 3 for a twentieth less; an archive lives for days, not years.
_COMPRESSION = 3


class MemberKind(StrEnum):
    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a tree. `path` is relative with forward slashes; a symlink's data is its target."""

    path: str
    data: bytes
    kind: MemberKind = MemberKind.FILE


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How large a tree may be, uncompressed. The defaults fit Lambda's 512 MB of /tmp."""

    members: int = 50_000
    bytes: int = 200 * 1024 * 1024

    def check(self, members: int, size: int) -> None:
        """Raises SourceTooLarge, naming what there is and what is allowed."""
        if members > self.members or size > self.bytes:
            raise SourceTooLarge(
                f"the source tree is too large: {counted(members, 'file')} and {size / 1e6:,.1f} MB so far; "
                f"allowed are {counted(self.members, 'file')} and {self.bytes / 1e6:,.1f} MB"
            )


DEFAULT_LIMITS = ArchiveLimits()


def pack(members: Iterable[Member], limits: ArchiveLimits = DEFAULT_LIMITS) -> bytes:
    """The members as a deterministic tar.gz. Symlinks that point outside the tree are left out.

    Raises SourceTooLarge, and ArchiveUnsafe for a path that is absolute, has `..`, or occurs twice.
    """
    buffer = io.BytesIO()
    size = 0
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=_COMPRESSION, mtime=0, filename="") as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        previous = ""
        for count, member in enumerate(sorted(members, key=lambda m: m.path), 1):
            path = _safe_path(member.path)
            if path == previous:
                raise ArchiveUnsafe(f"two files have the path {path!r}")
            previous = path
            size += len(member.data)
            limits.check(count, size)
            info = tarfile.TarInfo(path)
            if member.kind is MemberKind.SYMLINK:
                target = os.fsdecode(member.data)
                if not _stays_inside(path, target):
                    continue
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
                tar.addfile(info)
            else:
                info.size = len(member.data)
                info.mode = 0o755 if member.kind is MemberKind.EXECUTABLE else 0o644
                tar.addfile(info, io.BytesIO(member.data))
    return buffer.getvalue()


def members_of(root: Path, skip: Collection[str] = (".git",)) -> Iterator[Member]:
    """The files below a directory, without directories of the names in `skip`. Symlinks are taken as links
    and never followed."""
    for directory, folders, files in os.walk(root):
        links = [name for name in folders if (Path(directory) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in skip and name not in links]
        for name in (*files, *links):
            path = Path(directory) / name
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                yield Member(relative, os.fsencode(path.readlink()), MemberKind.SYMLINK)
            elif path.is_file():
                executable = path.stat().st_mode & 0o100
                yield Member(
                    relative, path.read_bytes(), MemberKind.EXECUTABLE if executable else MemberKind.FILE
                )


def read(data: bytes, limits: ArchiveLimits = DEFAULT_LIMITS) -> Iterator[Member]:
    """The members of an archive, one after another, without touching the file system.

    Raises ArchiveUnsafe for a broken archive or a member that is unsafe, SourceTooLarge beyond the limits.
    """
    # Each member costs a header and padding besides its bytes; an honest archive stays below that.
    most = limits.bytes + (limits.members + 1) * 2048
    stream = _Bounded(gzip.GzipFile(fileobj=io.BytesIO(data)), most, limits)
    leaves: set[str] = set()
    folders: set[str] = set()
    size = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for count, info in enumerate(tar, 1):
                limits.check(count, size)
                if info.isdir():
                    continue
                path = _safe_path(info.name)
                above = {parent.as_posix() for parent in PurePosixPath(path).parents}
                if path in leaves or path in folders or above & leaves:
                    raise ArchiveUnsafe(f"archive member {path!r} lies over or below another member")
                leaves.add(path)
                folders |= above
                if info.issym():
                    if not _stays_inside(path, info.linkname):
                        raise ArchiveUnsafe(f"archive member {path!r} links outside: {info.linkname!r}")
                    yield Member(path, os.fsencode(info.linkname), MemberKind.SYMLINK)
                    continue
                if not info.isreg():
                    raise ArchiveUnsafe(f"archive member {path!r} is neither a file nor a symlink")
                size += info.size
                limits.check(count, size)
                content = tar.extractfile(info)
                body = content.read() if content else b""
                yield Member(path, body, MemberKind.EXECUTABLE if info.mode & 0o100 else MemberKind.FILE)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise ArchiveUnsafe(f"the source archive cannot be read: {error}") from error


def _safe_path(path: str) -> str:
    """The path itself if it is a plain relative one. Raises ArchiveUnsafe."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise ArchiveUnsafe(f"the path {path!r} is not a plain path inside a source tree")
    return path


def _stays_inside(path: str, target: str) -> bool:
    """Whether a symlink at `path` points into the tree, judged by the text of its target alone."""
    if not target or target.startswith("/") or "\0" in target:
        return False
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return goal != ".." and not goal.startswith("../")


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than it may: a few bytes of gzip can stand for gigabytes."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, most: int, limits: ArchiveLimits) -> None:
        self._stream = stream
        self._left = most
        self._limits = limits

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise SourceTooLarge(
                f"the source archive unpacks to more than {self._limits.bytes / 1e6:,.1f} MB"
            )
        return data
