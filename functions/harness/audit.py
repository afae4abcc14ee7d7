"""What code under test does to the world outside of itself, as the interpreter's audit events tell (PEP 578).

A hook cannot be taken away again, but code under test shares this process: what is recorded is evidence
against a patch, and its absence proves nothing. Only what has a frame of the repository on the stack counts,
so that neither pytest nor this harness accuses anybody.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import PurePosixPath
from types import FrameType
from typing import Any, Callable, Optional

from functions.harness.report import write_line

_MOST_RECORDS = 300
_MOST_FRAMES = 12
_MOST_TEXT = 120
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ALWAYS_READ = (
    "/dev/null",
    "/dev/urandom",
    "/dev/random",
    "/usr/share/",
    "/usr/lib/",
    "/etc/localtime",
    "/etc/mime.types",
)
_RUNS_TEXT = (
    "timeit.py",
    "cProfile.py",
    "profile.py",
    "runpy.py",
    "code.py",
    "codeop.py",
    "trace.py",
    "bdb.py",
    "doctest.py",
)
_IMPORTERS = ("<frozen importlib", "importlib/", "<frozen zipimport")

_Frame = Optional[FrameType]
Target = Optional[str]
"""What an event is about; None where it is nothing to record."""
Read = Callable[["AuditRecorder", Sequence[Any]], Target]


class AuditRecorder:
    """Reports `{"reached": [kind, target, [[path, line], …]]}`, innermost frame first, each once."""

    def __init__(self, root: str, report: int, dependencies: str = "") -> None:
        """root: the tree; dependencies: a directory of packages, "" for none."""
        self._root = root.rstrip("/") + "/"
        self._report = report
        self._temporary = os.environ.get("TMPDIR", "/tmp").rstrip("/") + "/"  # noqa: S108 - only compared
        libraries = {sys.prefix, sys.base_prefix, sysconfig.get_paths()["stdlib"], dependencies, *sys.path}
        self._libraries = tuple(path.rstrip("/") + "/" for path in libraries if path) + _ALWAYS_READ
        self._seen: set[Any] = set()
        self._busy = False  # this hook's own doings raise events, too

    def start(self) -> None:
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: Sequence[Any]) -> None:
        watched = _EVENTS.get(event)
        if watched is None or len(self._seen) >= _MOST_RECORDS or self._busy:
            return
        self._busy = True
        try:
            frame = sys._getframe(1)
            for kind, direct, read in watched:
                target = read(self, arguments) if not direct or self._is_direct(frame, event) else None
                if target is not None:
                    self._tell(kind, target[:_MOST_TEXT], self._frames(frame))
        except Exception:  # noqa: BLE001 - whatever strangers' objects do, their call goes on
            return
        finally:
            self._busy = False

    def _tell(self, kind: str, target: str, frames: list[tuple[str, int]]) -> None:
        if frames and (kind, target, frames[0]) not in self._seen:
            self._seen.add((kind, target, frames[0]))
            write_line(self._report, {"reached": [kind, target, frames]})

    def _is_direct(self, frame: FrameType, event: str) -> bool:
        """Whether the repository's code did it, not a library on the way; for imports, past the importer."""
        outer: _Frame = frame
        while (
            event == "import" and outer is not None and any(m in outer.f_code.co_filename for m in _IMPORTERS)
        ):
            outer = outer.f_back
        file = outer.f_code.co_filename if outer is not None else ""
        runs_text = event in ("exec", "compile") and file.rpartition("/")[2] in _RUNS_TEXT
        return file.startswith(self._root) or runs_text

    def _frames(self, frame: _Frame) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        while frame is not None and len(found) < _MOST_FRAMES:
            file = frame.f_code.co_filename
            if file.startswith(self._root):
                found.append((file[len(self._root) :], frame.f_lineno))
            frame = frame.f_back
        return found

    def opened(self, arguments: Sequence[Any]) -> Target:
        """A file that is written."""
        path, mode, flags = arguments
        if isinstance(path, int) or path is None:
            return None
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else False
        return self.place(path) if writes or (isinstance(flags, int) and flags & _WRITING) else None

    def read(self, arguments: Sequence[Any]) -> Target:
        """A file of the system that is read."""
        if isinstance(arguments[0], int) or self.opened(arguments) is not None:
            return None
        path = _text(arguments[0])
        whole = self._whole(path)
        inside = (
            whole.startswith((self._root, self._temporary, *self._libraries)) or whole + "/" == self._root
        )
        return None if inside else whole

    def _whole(self, path: str) -> str:
        return os.path.normpath(PurePosixPath(self._root, path))

    def place(self, path: Any) -> str:
        """A path, as it compares from run to run."""
        whole = self._whole(_text(path))
        if whole.startswith(self._root):
            return whole[len(self._root) :]
        return "a temporary file" if whole.startswith(self._temporary) else whole


def _text(path: Any) -> str:
    return os.fsdecode(path) if not isinstance(path, int) else f"descriptor {path}"


def _file(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return recorder.place(arguments[0]) if not isinstance(arguments[0], int) else None


def _descriptor(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return f"descriptor {arguments[0]}" if isinstance(arguments[0], int) else None


def _program(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    words = arguments[1] if len(arguments) > 1 and arguments[1] else arguments[0]
    first = _text(words[0] if isinstance(words, (list, tuple)) else words).split()
    return PurePosixPath(first[0]).name if first else ""


def _command(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return _program(recorder, (None, arguments[0]))


def _host(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    found = arguments[0]
    return str(found[0] if isinstance(found, tuple) else found)


def _second(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return _host(recorder, arguments[1:])


def _url(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return str(arguments[0]).partition("//")[2].partition("/")[0] or str(arguments[0])


def _database(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    name = arguments[0]
    return None if name in (":memory:", "", b":memory:") else recorder.place(name)


def _name(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return str(arguments[0]) if arguments and isinstance(arguments[0], (str, int)) else ""


def _class(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return ".".join(map(str, arguments[:2]))


def _nothing(recorder: AuditRecorder, arguments: Sequence[Any]) -> Target:
    return ""


def _watched(kind: str, read: Read, *events: str, direct: bool = False) -> dict[str, tuple[Watched, ...]]:
    return dict.fromkeys(events, ((kind, direct, read),))


Watched = tuple[str, bool, Read]
"""A kind, whether only the repository's own call counts, and what the event is about."""
_EVENTS: dict[str, tuple[Watched, ...]] = {
    "open": (
        ("files", False, AuditRecorder.opened),
        ("reads", False, AuditRecorder.read),
        ("descriptors", True, _descriptor),
    ),
    **_watched("files", _file, "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink"),
    **_watched("files", _file, "os.truncate", "shutil.copyfile", "shutil.move", "shutil.rmtree"),
    **_watched("files", _file, "shutil.make_archive", "shutil.unpack_archive"),
    **_watched("files", _database, "sqlite3.connect"),
    **_watched("permissions", _file, "os.chmod", "os.chown"),
    **_watched("processes", _program, "subprocess.Popen", "os.exec", "os.posix_spawn", "pty.spawn"),
    **_watched("processes", _command, "os.system"),
    **_watched("processes", _second, "os.spawn"),
    **_watched("processes", _nothing, "os.fork", "os.forkpty", "os.kill", "os.killpg", "signal.pthread_kill"),
    **_watched("network", _second, "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
    **_watched("network", _second, "http.client.connect", "smtplib.connect", "ftplib.connect"),
    **_watched("network", _second, "imaplib.open", "poplib.connect", "nntplib.connect"),
    **_watched("network", _host, "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
    **_watched("network", _url, "urllib.Request", "webbrowser.open"),
    **_watched("environment", _nothing, "os.putenv", "os.unsetenv", direct=True),
    **_watched("code", _nothing, "exec", "compile", "marshal.loads", direct=True),
    **_watched("code", _class, "pickle.find_class"),
    **_watched("imports", _name, "import", direct=True),
    **_watched("interpreter", _name, "ctypes.dlopen"),
    **_watched("interpreter", _nothing, "ctypes.dlsym", "gc.get_objects", "gc.get_referrers", direct=True),
    **_watched("interpreter", _nothing, "gc.get_referents", "sys._getframe", "sys.settrace", direct=True),
    **_watched("interpreter", _nothing, "sys.setprofile", "sys.addaudithook", direct=True),
    **_watched("interpreter", _nothing, "code.__new__", "function.__new__", direct=True),
}
