"""System calls that code under test never gets, whatever else the platform permits.

Needs no privilege, so it also holds where namespaces are not permitted, as on AWS Lambda: there it takes the
network away, and with it the function's runtime API, and keeps signals and debuggers off other processes.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable, Sequence

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_SECCOMP, _MODE_FILTER = 22, 2

# <linux/bpf_common.h> and <linux/seccomp.h>
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_LOCAL = 1  # AF_UNIX

# <linux/audit.h>, and the numbers of <asm/unistd.h> of the two architectures that Lambda has.
_TABLES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
            "rt_tgsigqueueinfo": 297, "prlimit64": 302, "pidfd_open": 434, "pidfd_getfd": 438, "ptrace": 101,
            "process_vm_readv": 310, "process_vm_writev": 311, "mount": 165, "umount2": 166, "unshare": 272,
            "setns": 308, "bpf": 321, "perf_event_open": 298, "keyctl": 250, "add_key": 248,
            "request_key": 249, "userfaultfd": 323, "io_uring_setup": 425,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": 198, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
            "rt_tgsigqueueinfo": 240, "prlimit64": 261, "pidfd_open": 434, "pidfd_getfd": 438, "ptrace": 117,
            "process_vm_readv": 270, "process_vm_writev": 271, "mount": 40, "umount2": 39, "unshare": 97,
            "setns": 268, "bpf": 280, "perf_event_open": 241, "keyctl": 219, "add_key": 217,
            "request_key": 218, "userfaultfd": 282, "io_uring_setup": 425,
        },
    ),
}  # fmt: skip
_BY_PROCESS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "prlimit64", "pidfd_open")
"""Calls whose first argument is the process they act on."""


def refuse(*, network: bool, processes: Iterable[int]) -> None:
    """Refuse the calls above for this process and all it starts, for good.

    network: also refuse sockets other than local ones. processes: refuse to act on these, and on all at once.
    Needs PR_SET_NO_NEW_PRIVS, or root. Raises OSError where the kernel has no seccomp.
    """
    architecture, numbers = _TABLES[os.uname().machine]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for name, number in numbers.items():
        if name == "socket":
            program += _unless_first_is(number, _LOCAL) if network else []
        elif name in _BY_PROCESS:
            program += _if_first_is(number, [0xFFFFFFFF, *processes])
        else:
            program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    if _LIBC.prctl(_SET_SECCOMP, _MODE_FILTER, filter_, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


_Instruction = tuple[int, int, int, int]


def _unless_first_is(number: int, value: int) -> list[_Instruction]:
    """Refuse call `number` unless its first argument is `value`."""
    return [
        (_JUMP_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_EQUAL, 1, 0, value),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
    ]


def _if_first_is(number: int, values: Sequence[int]) -> list[_Instruction]:
    """Refuse call `number` when the low half of its first argument is one of `values`."""
    inner: list[_Instruction] = [(_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for value in values:
        inner += [(_JUMP_EQUAL, 0, 1, value & 0xFFFFFFFF), (_RETURN, 0, 0, _REFUSE)]
    inner.append((_LOAD, 0, 0, _NUMBER))
    return [(_JUMP_EQUAL, 0, len(inner), number), *inner]
