"""What a build runs in, in place of a container: the sandbox that also holds the code under test of a heal.

    python -m infra.local.gaps.container FOLDER SECONDS

Runs the commands of FOLDER/buildspec in a copy of FOLDER/source, without the emulator's environment, without
network and, where the kernel permits, with namespaces and a root of its own. Leaves FOLDER/output,
FOLDER/artifacts.tar, and FOLDER/ended, JSON of {"exit_code", "stopped"}. This is a process of its own, so
that a build can be stopped.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from functions.core.archive import members_of
from functions.validate_patch.sandbox.isolation import Limits
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox
from functions.validate_patch.validate import tree_of

_PROCESSES = 512


def run(folder: Path, seconds: float) -> Outcome:
    """Phase by phase, command by command; what fails ends it, as CodeBuild's default is."""
    buildspec = json.loads((folder / "buildspec").read_text())
    with Sandbox(Limits(seconds=seconds, processes=_PROCESSES)) as box:
        tree = box.stage(tree_of(members_of(folder / "source", skip=())))
        return box.run(tree, {"kind": "command", "args": ["sh", "-c", script(buildspec)]}, seconds)


def script(buildspec: dict[str, Any]) -> str:
    """The commands of all phases; then the artifacts as a tar on descriptor 3, which is the sandbox's own."""
    phases = [buildspec["phases"].get(name, {}) for name in ("install", "pre_build", "build", "post_build")]
    commands = [command for phase in phases for command in phase.get("commands", [])]
    base = buildspec.get("artifacts", {}).get("base-directory", ".")
    # Each command is a shell's own line: `set -e` would change what it means.
    steps = [f"{{ {command}\n}} 3>&- || exit $?" for command in commands]
    return "\n".join([*steps, f"tar -C '{base}' -cf - . >&3"])


if __name__ == "__main__":
    home = Path(sys.argv[1])
    outcome = asdict(run(home, float(sys.argv[2])))
    (home / "artifacts.tar").write_bytes(outcome.pop("report"))
    (home / "output").write_text(outcome.pop("output"))
    (home / "ended").write_text(json.dumps(outcome))
