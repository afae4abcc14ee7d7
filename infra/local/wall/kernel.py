"""System calls that Python 3.11 lacks: namespaces, mounts, capabilities, prctl. Each raises OSError.

Numbers are from the kernel's headers, named beside them; x86_64 and aarch64 share them unless noted.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

# <linux/sched.h>
NEW_MOUNTS, NEW_UTS, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

# <linux/mount.h>
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_DETACH = 2
_AT_HERE, _AT_RECURSIVE = -100, 0x8000
_ATTRIBUTE_READ_ONLY, _ATTRIBUTE_NOSUID = 1, 2

# <linux/prctl.h>
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 36, 38

# <asm/unistd_64.h>, <asm-generic/unistd.h>
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442


def unshare(flags: int) -> None:
    """Enter new namespaces; of processes (`NEW_PIDS`), only children do."""
    if _LIBC.unshare(flags) != 0:
        raise _error("unshare")


def map_ids(inside: tuple[int, int], outside: tuple[int, int]) -> None:
    """Show this process's own user and group, `outside`, as `inside` in its new user namespace.

    An unprivileged process may do so for itself alone, once it has given up setgroups: user_namespaces(7).
    """
    Path("/proc/self/setgroups").write_text("deny")
    for name, seen, own in zip(("uid_map", "gid_map"), inside, outside, strict=True):
        Path(f"/proc/self/{name}").write_text(f"{seen} {own} 1\n")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = (source.encode(), target.encode(), kind.encode() if kind else None)
    if _LIBC.mount(*encoded, ctypes.c_ulong(flags), data.encode() or None) != 0:
        raise _error(f"mount {target}")


def make_read_only(target: str, *, recursive: bool) -> None:
    """Make a mount read-only and without set-user-id; with `recursive` also those below. Linux 5.12."""
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd.
    attributes = struct.pack("QQQQ", _ATTRIBUTE_READ_ONLY | _ATTRIBUTE_NOSUID, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    arguments = (
        _AT_HERE,
        target.encode(),
        ctypes.c_uint(flags),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    if _LIBC.syscall(_MOUNT_SETATTR, *arguments) != 0:
        raise _error(f"mount_setattr {target}")


def pivot_root(new: str, old: str) -> None:
    if _LIBC.syscall(_PIVOT_ROOT[os.uname().machine], new.encode(), old.encode()) != 0:
        raise _error("pivot_root")


def unmount(target: str) -> None:
    if _LIBC.umount2(target.encode(), _DETACH) != 0:
        raise _error(f"umount2 {target}")


def raise_loopback() -> None:
    """Bring `lo` up in this process's network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 1 | 64)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def drop_capabilities() -> None:
    """Give up all capabilities, now and after any exec."""
    # struct __user_cap_header_struct (version 3, this process), then 64 bits each of effective, permitted and
    # inheritable, all zero: capset(2).
    if _LIBC.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)) != 0:
        raise _error("capset")


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Make descendants that lose their parent children of this process."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def set_dumpable(dumpable: bool) -> None:
    """Open or close this process's memory, environment and descriptors in `/proc` to others of its user."""
    _prctl(_SET_DUMPABLE, int(dumpable))


def forbid_new_privileges() -> None:
    _prctl(_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise _error(f"prctl {option}")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
