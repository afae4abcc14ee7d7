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


def lives(pid: int) -> bool:
    """Whether any thread of a process does: its first one may have ended before the others."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                if not _status(int(thread.name), of=pid).get("State", "Z").startswith(("Z", "X")):
                    return True
    return False


_KEPT = ("limits", "oom_score_adj", "timerslack_ns", "coredump_filter", "autogroup")


def traits(pid: int) -> tuple[object, ...]:
    """How a process is run, as far as any process of its user may change that: what one run changes of those
    that outlive it would tell the next one."""
    kept = []
    for name in _KEPT:
        with contextlib.suppress(OSError):
            kept.append(Path(f"/proc/{pid}/{name}").read_text())
    scheduled = os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority
    return os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), *scheduled, *kept


def _status(thread: int, of: int | None = None) -> dict[str, str]:
    # Readable for all, whoever the process belongs to; the entry itself may belong to root.
    text = Path(f"/proc/{of or thread}/task/{thread}/status").read_text(errors="replace")
    return dict(line.partition(":\t")[::2] for line in text.splitlines())
