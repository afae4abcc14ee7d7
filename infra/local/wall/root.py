"""A root of its own: the system's libraries and what is named, read only, and a private `/tmp`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.wall import kernel

USER, GROUP = 993, 990
"""User and group behind a wall: those of Lambda's guest."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_ETC = (
    "ca-certificates",
    "gai.conf",
    "hosts",
    "ld.so.cache",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki",
    "resolv.conf",
    "ssl",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_WRITTEN = {
    "passwd": (
        f"root:x:0:0::/root:/sbin/nologin\nsbx_user1051:x:{USER}:{GROUP}::/home/sbx_user1051:/sbin/nologin\n"
    ),
    "group": f"root:x:0:\nsbx_user1051:x:{GROUP}:\n",
}
"""Not this machine's own: the names of its users are nobody's business behind a wall."""

_OLD = "/.old"


def enter_root(
    readable: Sequence[str], placed: Mapping[str, str], *, tmp_bytes: int, shared_memory: bool
) -> None:
    """Make and enter the root, in a mount namespace of this process's own, with capabilities in it.

    readable: absolute paths that lie inside where they lie outside. placed: path inside → path outside.
    tmp_bytes: size of `/tmp`. shared_memory: whether there is a `/dev/shm`; Lambda has none to rely on.
    Raises OSError.
    """
    sources = {path: os.path.realpath(path) for path in _outermost(readable)} | {
        inside: os.path.realpath(outside) for inside, outside in placed.items()
    }
    etc = {f"/etc/{name}": os.path.realpath(f"/etc/{name}") for name in _ETC}
    kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    # The new root takes the place of /tmp only to become the root at once: what lies below the old /tmp is
    # then still reached through the old root.
    kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.NOSUID | kernel.NODEV, "size=1m,mode=755")  # noqa: S108 (see above)
    Path(f"/tmp{_OLD}").mkdir()  # noqa: S108 (the same)
    kernel.pivot_root("/tmp", f"/tmp{_OLD}")  # noqa: S108 (the same)
    os.chdir("/")
    _own_directories(tmp_bytes, shared_memory=shared_memory)
    for inside, outside in (etc | sources).items():
        _bind(outside, inside)
    for name in _DEVICES:
        _bind(f"/dev/{name}", f"/dev/{name}", read_only=False)
    # Refused inside containers that mask parts of /proc: then there is none, which is tighter still.
    with contextlib.suppress(OSError):
        kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
    kernel.unmount(_OLD)
    Path(_OLD).rmdir()
    kernel.make_read_only("/", recursive=False)


def _own_directories(tmp_bytes: int, *, shared_memory: bool) -> None:
    writable = {"/tmp": tmp_bytes}  # noqa: S108 (the private one)
    if shared_memory:
        writable["/dev/shm"] = tmp_bytes  # noqa: S108 (the same)
    for name in ("dev", "etc", "proc", *writable):
        Path("/", name).mkdir(parents=True, exist_ok=True)
    for path, size in writable.items():
        options = f"size={size},mode=1777"
        kernel.mount("tmpfs", path, "tmpfs", kernel.NOSUID | kernel.NODEV, options)
    for name, text in _WRITTEN.items():
        Path("/etc", name).write_text(text)
    for name, target in _LINKS.items():
        Path("/dev", name).symlink_to(target)


def _outermost(paths: Sequence[str]) -> list[str]:
    """The system's libraries and `paths`, without those that lie below another. Missing ones are left out."""
    found: list[str] = []
    for path in sorted({os.path.normpath(path) for path in (*_SYSTEM, *paths)}):
        if path == "/":
            raise ValueError("the whole root cannot be readable behind a wall")
        if Path(path).exists() and not any(path.startswith(f"{outer}/") for outer in found):
            found.append(path)
    return found


def _bind(source: str, target: str, *, read_only: bool = True) -> None:
    """Show `source`, a path in the old root without symbolic links, as `target`."""
    old, path = Path(_OLD + source), Path(target)
    named = Path(_OLD + target)
    if target in _SYSTEM and named.is_symlink():  # /bin → usr/bin
        path.symlink_to(named.readlink())
        return
    if not old.exists():
        return
    if old.is_dir():
        path.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    kernel.mount(str(old), target, None, kernel.BIND | kernel.RECURSIVE)
    if read_only:
        kernel.make_read_only(target, recursive=True)
