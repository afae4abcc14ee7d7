"""Copies of programs that everybody may execute and nobody, their owner included, may read.

The kernel keeps the memory, environment and descriptors of such a program's processes from other processes of
the same user (`would_dump` in fs/exec.c, ptrace(2)), as `prctl` could where it is not refused.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def closed(executable: Path) -> Path:
    """The copy, made once; it is gone when this process ends."""
    copy = Path(_folder().name) / str(len(list(Path(_folder().name).iterdir()))) / executable.name
    copy.parent.mkdir(mode=0o755)
    shutil.copyfile(executable, copy)
    copy.chmod(0o111)
    return copy


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="closed-")
    Path(folder.name).chmod(0o755)
    return folder
