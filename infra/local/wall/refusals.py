"""The system calls that Lambda's guest refuses, refused here by a seccomp filter that nothing can take off.

Refused there in container images too, as public trackers report one by one (krallin/tini 218 and 227,
hashicorp/terraform-exec 172, catboost 1606, ClickHouse 43589, openai/codex 4725): `prctl`, `unshare`,
`mount`, `ptrace`, `setns`, `seccomp`. The others below are their siblings: other ways to the same thing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_SECCOMP, _MODE_FILTER = 22, 2

# <linux/bpf_common.h> and <linux/seccomp.h>
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_REFUSE = _ERROR | errno.EPERM
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* of <linux/sched.h> that clone(2) takes

# <linux/audit.h>, and the numbers of <asm/unistd.h> of the two architectures that Lambda has.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CLONE, _CLONE3, _SOCKET = (56, 220), 435, (41, 198)
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: others, as AF_VSOCK, have no namespaces
REFUSED: dict[str, tuple[int, int]] = {
    "prctl": (157, 167), "unshare": (272, 97), "setns": (308, 268), "ptrace": (101, 117),
    "seccomp": (317, 277), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "swapon": (167, 224), "reboot": (169, 142), "acct": (163, 89), "quotactl": (179, 60),
}  # fmt: skip
"""Name → number on x86_64 and on aarch64; each answers EPERM."""


def numbers() -> dict[str, int]:
    """The refused calls of this machine's architecture."""
    column = _ARCHITECTURES[os.uname().machine][1]
    return {name: both[column] for name, both in REFUSED.items()}


def refuse() -> None:
    """Refuse the calls above to this process and to all that it starts, for good.

    `clone` with new namespaces is refused too; `clone3`, whose flags a filter cannot see, does not exist,
    which makes the C library use `clone`; `socket` makes the ordinary families only. Needs no_new_privs.
    Raises OSError where the kernel has no seccomp.
    """
    architecture, column = _ARCHITECTURES[os.uname().machine]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _REFUSE),
        (_JUMP_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_JUMP_EQUAL, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
        (_JUMP_EQUAL, 0, 3 + len(_FAMILIES), _SOCKET[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *((_JUMP_EQUAL, len(_FAMILIES) - i, 0, family) for i, family in enumerate(_FAMILIES)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    for number in numbers().values():
        program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    if _LIBC.prctl(_SET_SECCOMP, _MODE_FILTER, filter_, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
