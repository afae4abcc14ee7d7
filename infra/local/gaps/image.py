"""What the image of a function for strangers' code holds, laid out from what this machine has.

The same places as in infra/Dockerfile: an interpreter of each version below /opt/python, the harness's
packages in /opt/harness. The interpreters are execute-only: the kernel then keeps the memory, environment and
descriptors of their processes from other processes of the same user, as `prctl` could where it is not
refused.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from pathlib import Path

from functions.harness import interpreters
from infra.local.wall.closed import closed

PYTHONS, HARNESS = "/opt/python", "/opt/harness"
ENVIRONMENT = {interpreters.DIRECTORY: PYTHONS, "SELFHEAL_HARNESS_PACKAGES": HARNESS}
"""What the image sets."""


_at_work = threading.Lock()


def places() -> dict[str, str]:
    """Path inside → path on this machine."""
    with _at_work:  # Whoever asks while they are being found waits.
        return _found()


@functools.cache
def _found() -> dict[str, str]:
    own = os.path.realpath(sys.executable)
    placed = {own: str(closed(Path(own)))}
    for version in interpreters.available():
        if python := interpreters.find(version):
            below = f"{PYTHONS}/{version}"
            executable = python.executable.relative_to(python.prefix)
            placed[below] = str(python.prefix)
            if python.prefix != Path("/usr"):
                # Its shared library is where it was built to look for it.
                placed[f"{python.prefix}/lib"] = f"{python.prefix}/lib"
            placed[f"{below}/{executable}"] = str(closed(python.executable))
    packages = Path(sys.prefix, "harness")
    if packages.is_dir():
        placed[HARNESS] = str(packages)
    return placed
