"""The processes that a job has started, as `/proc` shows them."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36
"""<linux/prctl.h>"""


def adopt_orphans() -> bool:
    """Close this process's memory, and have daemons come back to it; whether the platform lets them."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        return bool(libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


def of_user() -> set[int]:
    """Process ids of this user."""
    found, uid = set(), os.geteuid()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):  # ended meanwhile
            if entry.name.isdigit() and _status(int(entry.name)).get("Uid", "").split()[:1] == [str(uid)]:
                found.add(int(entry.name))
    return found


def descendants() -> set[int]:
    """Process ids of everything below this process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if entry.name.isdigit():
                parents[int(entry.name)] = int(_status(int(entry.name)).get("PPid", "0"))
    below = {os.getpid()}
    found: set[int] = set()
    while below:
        below = {pid for pid, parent in parents.items() if parent in below} - found
        found |= below
    return found


def is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return _status(pid).get("State", "Z").startswith("Z")
    return True


def _status(pid: int) -> dict[str, str]:
    # Readable for all, whoever the process belongs to; the entry itself may belong to root.
    text = Path(f"/proc/{pid}/status").read_text(errors="replace")
    return dict(line.partition(":\t")[::2] for line in text.splitlines())
