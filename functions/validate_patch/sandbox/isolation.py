"""Isolation of one worker: namespaces and a root of its own where the kernel permits, limits everywhere.

Runs in freshly forked processes, before any code under test. Linux only; calls the C library by ctypes
because `os.unshare` came with Python 3.12 and `mount` never did.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import shutil
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

# <linux/sched.h>
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
NAMESPACES = _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWUTS

# <linux/mount.h>
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2

# <linux/prctl.h>
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 36, 38

# <asm/unistd_64.h> of the two architectures that Lambda has.
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

WORKER_ID = 1000
"""User and group of the worker inside its namespace."""
OUTSIDE_ID = 65534
"""What `WORKER_ID` is outside when the step runs as root: nobody. Root is exempt from RLIMIT_NPROC."""

DEPENDENCIES = "/dependencies"
"""Where packages of the repository's own lie for the worker, read only."""

REPO = "/repo"
"""Where the tree lies for the worker: the same place before and after the patch, so that outputs compare."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_ETC = (
    "ld.so.cache",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "group",
    "hosts",
    "ssl/openssl.cnf",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one run."""

    seconds: float = 60.0
    """Wall clock, and per process of CPU."""
    memory_bytes: int = 1536 * 1024 * 1024
    """Address space per process."""
    disk_bytes: int = 256 * 1024 * 1024
    """Size of any one file; in its own root also of everything it writes."""
    processes: int = 128
    files: int = 256


def prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise _os_error(f"prctl {option}")


def die_with_parent() -> None:
    prctl(_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make daemons that leave their session come back to this process, so that it can kill them."""
    prctl(_SET_CHILD_SUBREAPER, 1)


def hide_process(*, hidden: bool = True) -> None:
    """Close (or open) this process's `/proc` entries, environment and memory, to others of the same user."""
    prctl(_SET_DUMPABLE, int(not hidden))


def unshare(flags: int = NAMESPACES) -> None:
    """Enter new namespaces. Raises OSError where the platform does not permit it."""
    if _LIBC.unshare(flags) != 0:
        raise _os_error("unshare")


def map_ids(pid: int) -> None:
    """Map the ids of a process that entered a user namespace; called from outside of it.

    Root maps itself too, to set up the mounts, and nobody as the worker; anyone else maps just themselves.
    """
    root = os.geteuid() == 0
    for name, own in (("uid_map", os.geteuid()), ("gid_map", os.getegid())):
        lines = f"0 0 1\n{WORKER_ID} {OUTSIDE_ID} 1\n" if root else f"{WORKER_ID} {own} 1\n"
        if name == "gid_map" and not root:
            # An unprivileged process may map its group only after giving up setgroups: user_namespaces(7).
            Path(f"/proc/{pid}/setgroups").write_text("deny")
        Path(f"/proc/{pid}/{name}").write_text(lines)


def own_root(tree: str, limits: Limits, dependencies: str = "") -> None:
    """Enter a root of its own: the system's libraries and this Python, read only, `/repo` and `/tmp`.

    `tree` becomes the lower layer of an overlay at `/repo`: the worker may write, the tree stays as it is.
    `dependencies`, a directory, is there to read.
    """
    _mount("none", "/", None, _REC | _PRIVATE)
    root = tree + ".root"
    Path(root).mkdir(mode=0o755, exist_ok=True)
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, f"size={limits.disk_bytes},mode=755")
    for path in _readable_paths():
        _bind(path, root + path)
    if dependencies:
        _bind(dependencies, root + DEPENDENCIES)
    for name in _ETC:
        _bind(f"/etc/{name}", f"{root}/etc/{name}")
    for name in _DEVICES:
        _bind(f"/dev/{name}", f"{root}/dev/{name}", read_only=False)
    for name in ("tmp", "dev/shm", "upper", "repo", "proc", "old"):
        Path(f"{root}/{name}").mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "dev/shm"):
        Path(f"{root}/{name}").chmod(0o1777)
    # The upper layer's directory gives `/repo` its mode: the worker must be able to write there.
    layer = Path(f"{root}/upper")
    for name in ("data", "work"):
        (layer / name).mkdir()
        (layer / name).chmod(0o777)
    options = f"lowerdir={tree},upperdir={layer}/data,workdir={layer}/work,userxattr"
    try:
        _mount("overlay", root + REPO, "overlay", _NOSUID | _NODEV, options)
    except OSError:
        shutil.copytree(tree, root + REPO, symlinks=True, dirs_exist_ok=True)
        for copied in (Path(root + REPO), *Path(root + REPO).rglob("*")):
            if not copied.is_symlink():
                copied.chmod(copied.stat().st_mode | 0o666 | (0o111 if copied.is_dir() else 0))
    # Refused inside containers that mask parts of /proc: then there is none, which is tighter still.
    with contextlib.suppress(OSError):
        _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV)
    os.chdir(root)
    if _LIBC.syscall(_PIVOT_ROOT[os.uname().machine], b".", b"old") != 0:
        raise _os_error("pivot_root")
    if _LIBC.umount2(b"old", _MNT_DETACH) != 0:
        raise _os_error("umount2")
    os.chdir("/")
    # Loopback alone is up: tests that talk to a server of their own still run.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1 | 64))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def drop_privileges(*, namespaces: bool) -> None:
    """Give up all capabilities, now and after any exec; inside a namespace also become the worker's user."""
    if namespaces and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(WORKER_ID, WORKER_ID, WORKER_ID)
        os.setresuid(WORKER_ID, WORKER_ID, WORKER_ID)
    # struct __user_cap_header_struct (version 3, this process), then 64 bits each of effective, permitted,
    # inheritable, all zero: capset(2).
    header = struct.pack("Ii", 0x20080522, 0)
    if _LIBC.capset(header, bytes(24)) != 0:
        raise _os_error("capset")


def apply_limits(limits: Limits, processes_now: int = 0) -> None:
    """Set the resource limits. `processes_now`: what the user runs already, where it shares its count."""
    cpu = max(1, int(limits.seconds) + 1)
    for kind, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.disk_bytes),
        (resource.RLIMIT_NPROC, limits.processes + processes_now),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
    prctl(_SET_NO_NEW_PRIVS, 1)


def ancestors() -> list[int]:
    """Process ids of everything above this process."""
    found = []
    pid = os.getppid()
    while pid > 0:
        found.append(pid)
        pid = _parent_of(pid)
    return found


def children() -> list[int]:
    """Process ids of the children of this process, adopted ones included."""
    own, found = os.getpid(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # ended meanwhile
            if entry.name.isdigit() and _parent_of(int(entry.name)) == own:
                found.append(int(entry.name))
    return found


def _parent_of(pid: int) -> int:
    # "pid (name) state ppid …": the name may itself hold spaces and brackets.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def processes_of_user() -> int:
    """How many processes and threads the current user runs, for a limit that counts them together."""
    count, uid = 0, os.geteuid()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += sum(1 for _ in (entry / "task").iterdir())
    return count


def _readable_paths() -> list[str]:
    """The system's libraries and everything this Python imports from, outermost first, nothing twice."""
    wanted = [*_SYSTEM, sys.base_prefix, sys.prefix, *(p for p in sys.path if "site-packages" in p)]
    paths: list[str] = []
    for path in sorted({p.rstrip("/") for p in wanted if p and Path(p).exists()}):
        if path and not any(path.startswith(f"{p}/") for p in paths):
            paths.append(path)
    return paths


def _bind(source: str, target: str, *, read_only: bool = True) -> None:
    path = Path(source)
    if path.is_symlink() and path.is_dir():  # /bin → usr/bin
        Path(target).symlink_to(path.readlink())
        return
    if not path.exists():
        return
    if path.is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    _mount(source, target, None, _BIND | _REC)
    if read_only:
        _mount("none", target, None, _BIND | _REMOUNT | _RDONLY | _NOSUID)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = (source.encode(), target.encode(), kind.encode() if kind else None)
    if _LIBC.mount(*encoded, ctypes.c_ulong(flags), data.encode() or None) != 0:
        raise _os_error(f"mount {target}")


def _os_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
