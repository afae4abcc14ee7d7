"""What a build runs in, in place of a container: the wall that also holds the code under test of a heal.

    python -m infra.local.gaps.container FOLDER SECONDS

Runs the commands of FOLDER/buildspec in a copy of FOLDER/source, without the emulator's environment and
without network. Leaves FOLDER/output, FOLDER/artifacts.tar, and FOLDER/ended, JSON of {"exit_code",
"stopped"}. This is a process of its own, so that a build can be stopped.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

from functions.harness import interpreters
from functions.harness.driver import DriverSettings
from infra.local.wall import program
from infra.local.wall.program import Ended

_GIB = 1024**3
_OUTPUT_LIMIT = 256 * 1024 * 1024


def run(folder: Path, seconds: float) -> Ended:
    """Phase by phase, command by command; what fails ends it, as CodeBuild's default is."""
    buildspec = json.loads((folder / "buildspec").read_text())
    pythons = [found for version in interpreters.available() if (found := interpreters.find(version))]
    packages = DriverSettings.of(os.environ).packages
    return program.run(
        ["/bin/sh", "-c", script(buildspec)],
        stdin=_packed(folder / "source"),
        # The image of a project brings Pythons and pytest.
        readable=[*(found.prefix for found in pythons), *([Path(packages)] if packages else [])],
        env={
            "HOME": "/tmp",  # noqa: S108 (its own)
            "PATH": os.pathsep.join(
                (*(str(p.executable.parent) for p in reversed(pythons)), "/usr/bin", "/bin")
            ),
            "SELFHEAL_HARNESS_PACKAGES": packages,
        },
        limits=program.WallLimits(
            seconds, memory_bytes=8 * _GIB, disk_bytes=4 * _GIB, processes=512, files=4096
        ),
        output_limit=_OUTPUT_LIMIT,
    )


def script(buildspec: dict[str, Any]) -> str:
    """The commands of all phases, which tell on standard error; then the artifacts as a tar on standard
    output."""
    phases = [buildspec["phases"].get(name, {}) for name in ("install", "pre_build", "build", "post_build")]
    commands = [command for phase in phases for command in phase.get("commands", [])]
    base = buildspec.get("artifacts", {}).get("base-directory", ".")
    # Each command is a shell's own line: `set -e` would change what it means.
    steps = [f"{{ {command}\n}} >&2 </dev/null || exit $?" for command in commands]
    return "\n".join(["mkdir source && cd source && tar -xf -", *steps, f"tar -C '{base}' -cf - ."])


def _packed(source: Path) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        tar.add(source, ".")
    return body.getvalue()


if __name__ == "__main__":
    home = Path(sys.argv[1])
    ended = run(home, float(sys.argv[2]))
    (home / "artifacts.tar").write_bytes(ended.stdout)
    (home / "output").write_text(ended.stderr_tail)
    (home / "ended").write_text(json.dumps({"exit_code": ended.exit_code, "stopped": ended.stopped}))
