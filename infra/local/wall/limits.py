"""Ceilings per process, set before the code that they are for."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass

GUEST = {resource.RLIMIT_NPROC: 1024, resource.RLIMIT_NOFILE: 1024, resource.RLIMIT_CORE: 0}
"""Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@dataclass(frozen=True, slots=True)
class WallLimits:
    """Ceilings of a program behind the wall."""

    seconds: float = 60.0
    """Wall clock of the whole; also CPU time of each process."""
    memory_bytes: int = 1536 * 1024 * 1024
    """Address space of each process."""
    disk_bytes: int = 256 * 1024 * 1024
    """Size of `/tmp`, and of any one file."""
    processes: int = 128
    """Processes and threads together."""
    files: int = 256
    """Open files of each process."""

    def ceilings(self) -> dict[int, int]:
        return {
            resource.RLIMIT_CPU: max(1, int(self.seconds) + 1),
            resource.RLIMIT_AS: self.memory_bytes,
            resource.RLIMIT_FSIZE: self.disk_bytes,
            resource.RLIMIT_NPROC: self.processes,
            resource.RLIMIT_NOFILE: self.files,
            resource.RLIMIT_CORE: 0,
        }


def apply(ceilings: Mapping[int, int]) -> None:
    """Set the limits of this process and of all that it starts; none is ever raised."""
    for kind, value in ceilings.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))
