"""Installs wheels into a directory. Nothing that is installed is run: no build, no setup.py, no .pth file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from functions.core.redaction import redact
from functions.install_dependencies.wanted import Wanted

_SECONDS = 240
_KEPT = frozenset(
    {"PATH", "HOME", "LANG", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)


class NotInstalled(Exception):
    """Why the requirements could not be installed, in one line."""


def pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip gets of an environment: where packages come from, and no credentials of this system."""
    kept = {k: v for k, v in environment.items() if k in _KEPT or k.startswith("PIP_")}
    return {"HOME": "/tmp", **kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}  # noqa: S108 - Lambda's only writable place


def install(asked: Wanted, folder: Path, environment: Mapping[str, str]) -> int:
    """Install into `folder`/site; how many packages there are then. Raises NotInstalled."""
    requirements, constraints, site = folder / "requirements.txt", folder / "constraints.txt", folder / "site"
    requirements.write_text("\n".join(asked.requirements) + "\n")
    constraints.write_text("\n".join(asked.constraints) + "\n")
    # --only-binary: a source distribution would run its build. --isolated is not given: the machine's own
    # configuration says where packages come from.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-compile"]
    command += ["--no-cache-dir", "--target", str(site), "-r", str(requirements), "-c", str(constraints)]
    try:
        run = subprocess.run(
            command, cwd=folder, env=dict(environment), capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip took over {_SECONDS} s") from None
    if run.returncode != 0:
        raise NotInstalled(_why(run.stderr.decode(errors="replace")))
    return sum(1 for path in site.iterdir() if path.name.endswith(".dist-info")) if site.is_dir() else 0


def _why(printed: str) -> str:
    """The errors that pip printed, without what it tried before."""
    errors = [line.removeprefix("ERROR: ") for line in printed.splitlines() if line.startswith("ERROR: ")]
    text = "; ".join(errors) or printed.strip()[-300:] or "pip failed without a word"
    return redact(" ".join(text.split()))[:400]
