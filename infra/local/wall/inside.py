"""The order in which a process is put behind the wall. Each function runs in a process forked for it.

outer    separate(): new namespaces; its next child is process 1 in them
init     enter_root(), raise_loopback(); forks the worker, then wait_as_init(): its end is everybody's end
worker   give_up(): an unprivileged user, no capabilities, limits, refusals
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from infra.local.wall import kernel, limits, refusals
from infra.local.wall.root import GROUP, USER

_OUTSIDE = (61993, 61990)
"""User and group outside when we start as root: in the range that no distribution gives to anybody for long
(systemd's DynamicUser=, 61184 to 65519)."""


def separate(*, network: bool) -> None:
    """Enter new namespaces for mounts, processes, IPC and names; with `network` also one without any network.

    Raises OSError where the kernel does not grant them.
    """
    flags = kernel.NEW_MOUNTS | kernel.NEW_PIDS | kernel.NEW_IPC | kernel.NEW_UTS
    if network:
        flags |= kernel.NEW_NETWORK
    if os.geteuid() == 0:
        kernel.unshare(flags)
    else:
        own = os.geteuid(), os.getegid()
        kernel.unshare(flags | kernel.NEW_USER)
        kernel.map_ids((USER, GROUP), own)


def wait_as_init(worker: int) -> int:
    """Reap whoever ends until the worker has; its exit code, 128 + N for signal N, as in a shell."""
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def give_up(ceilings: Mapping[int, int], *, dumpable: bool = True) -> None:
    """Become Lambda's user without any capability, under `ceilings` and the refusals, for good.

    The user namespace makes the limit on processes count these alone. dumpable: whether others of the same
    user may look into this process, as on Lambda they may unless its executable is closed to them.
    """
    if os.geteuid() == 0:
        user, group = _OUTSIDE
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        kernel.set_dumpable(True)  # The maps below belong to root otherwise.
        kernel.unshare(kernel.NEW_USER)
        kernel.map_ids((USER, GROUP), _OUTSIDE)
    limits.apply(ceilings)
    kernel.drop_capabilities()
    kernel.set_dumpable(dumpable)
    kernel.forbid_new_privileges()
    refusals.refuse()
