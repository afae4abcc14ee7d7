"""Compiles the harness and its pytest for every Python of this machine, so that no run has to.

    python -m infra.local.precompile

They lie where runs may only read.
"""

from __future__ import annotations

import os
import subprocess

from functions.harness import interpreters
from functions.harness.driver import DriverSettings
from infra.packaging import ROOT


def main() -> None:
    """Compile for one interpreter after another; what cannot be compiled is only slower."""
    folders = [str(ROOT / "functions" / "harness"), DriverSettings.of(os.environ).packages]
    for version in interpreters.available():
        found = interpreters.find(version)
        if found is not None:
            command = [str(found.executable), "-m", "compileall", "-q", *filter(None, folders)]
            subprocess.run(command, check=False, capture_output=True)


if __name__ == "__main__":
    main()
