"""What runs below a process, read while its members begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil


def commands_below(parent: psutil.Process) -> Iterator[tuple[psutil.Process, list[str]]]:
    """Each descendant that still runs, with its command line: psutil raises for one that ended meanwhile."""
    for process in parent.children(recursive=True):
        with suppress(psutil.Error):
            yield process, process.cmdline()
