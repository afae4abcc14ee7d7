"""What runs leave where all of them may write, so that no run can tell the next one anything."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108 - what all may write, and so what is looked at
_IPC_RMID = 0
"""<linux/ipc.h>"""
_KINDS = {"shm": "shmctl", "msg": "msgctl", "sem": "semctl"}


class Litter:
    """Remembers what is there, and removes what came since: files in `temporary`, and where nobody else works
    on this machine, shared memory and System V IPC objects, too.

    Whoever has a folder of its own for temporary files shares the machine: what comes elsewhere may be
    somebody else's.
    """

    def __init__(self, temporary: Path, alone: bool) -> None:
        self._alone = alone
        self._folders = [folder for folder in (temporary, *((_SHARED,) if alone else ())) if folder.is_dir()]
        self._files = self._found()
        self._objects = _objects() if alone else set()

    def keep(self, folder: Path) -> None:
        """The driver's own: this folder, and what is in it now."""
        self._folders.append(folder)
        self._files |= self._found()

    def clear(self) -> None:
        """Remove what came. What cannot be removed is left: it belongs to somebody else."""
        for path in self._found() - self._files:
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
        for kind, number in (_objects() if self._alone else set()) - self._objects:
            _remove(kind, number)

    def _found(self) -> set[Path]:
        found: set[Path] = set()
        for folder in self._folders:
            with contextlib.suppress(OSError):
                found.update(folder.iterdir())
        return found


def _objects() -> set[tuple[str, int]]:
    """(kind, id) of this user's IPC objects; the id is the second column of each list (`shmid`, `msqid`,
    `semid`), the user one that is headed so."""
    found = set()
    for kind in _KINDS:
        with contextlib.suppress(OSError, ValueError):
            head, *rows = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
            names = head.split()
            for row in rows:
                values = dict(zip(names, row.split()))
                if int(values["uid"]) == os.geteuid():
                    found.add((kind, int(row.split()[1])))
    return found


def _remove(kind: str, number: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        control = getattr(ctypes.CDLL(None), _KINDS[kind])
        control(number, 0, _IPC_RMID, None) if kind == "sem" else control(number, _IPC_RMID, None)
