"""Installs wheels into a directory, for an app's own Python, which need not be here.

Nothing that is installed is run: no build, no setup.py, no .pth file.
"""

from __future__ import annotations

import importlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from functions.core.redaction import redact
from functions.harness.interpreters import RELEASES, missing
from functions.install_dependencies.wanted import Wanted

# Amazon Linux 2023, on which the runner is: https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html
_GLIBC = "2_34"
_SECONDS = 240
_KEPT = frozenset(
    {"PATH", "HOME", "LANG", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
    # AWS's Python, which uv asks what it is, finds its own library by it.
    | {"LD_LIBRARY_PATH"}
)
# Where packages come from may be said to pip: uv has names of its own for that.
_OF_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}


class NotInstalled(Exception):
    """Why the requirements could not be installed, in one line."""


def target(python: str) -> str:
    """What wheels are chosen for: a release of a Python version and a platform."""
    return f"{RELEASES.get(python, python)} {_platform()}"


def installer_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What uv gets of an environment: where packages come from, and no credentials of this system."""
    kept = {k: v for k, v in environment.items() if k in _KEPT or k.startswith("UV_")}
    translated = {ours: environment[theirs] for theirs, ours in _OF_PIP.items() if theirs in environment}
    return {"HOME": "/tmp", **translated, **kept}  # noqa: S108 - Lambda's only writable place


def install(asked: Wanted, python: str, folder: Path, environment: Mapping[str, str]) -> int:
    """Install into `folder`/site for a version such as "3.12"; how many packages there are then.

    Raises NotInstalled.
    """
    if python not in RELEASES:
        raise NotInstalled(missing(python))
    requirements, constraints, site = folder / "requirements.txt", folder / "constraints.txt", folder / "site"
    requirements.write_text("\n".join(asked.requirements) + "\n")
    constraints.write_text("\n".join(asked.constraints) + "\n")
    command = [str(importlib.import_module("uv").find_uv_bin()), *_configuration(environment)]
    # --only-binary: a source distribution would run its build. --python-version: the release, because 3.9
    # would count as 3.9.0, which many packages exclude.
    command += ["pip", "install", "--quiet", "--only-binary", ":all:", "--no-cache", "--link-mode", "copy"]
    command += ["--python", sys.executable, "--python-version", RELEASES[python]]
    command += ["--python-platform", _platform(), "--target", str(site)]
    command += ["-r", str(requirements), "-c", str(constraints)]
    try:
        run = subprocess.run(
            command, cwd=folder, env=dict(environment), capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"uv took over {_SECONDS} s") from None
    if run.returncode != 0:
        raise NotInstalled(_why(run.stderr.decode(errors="replace")))
    return sum(1 for path in site.iterdir() if path.name.endswith(".dist-info")) if site.is_dir() else 0


def _platform() -> str:
    return f"{platform.machine()}-manylinux_{_GLIBC}"


def _configuration(environment: Mapping[str, str]) -> list[str]:
    """The machine's own configuration says where packages come from; none is looked for in the folders above
    the one that is installed into, where others may write."""
    own = Path(environment.get("XDG_CONFIG_HOME") or Path(environment["HOME"], ".config"), "uv", "uv.toml")
    for path in (own, Path("/etc/uv/uv.toml")):
        if path.is_file():
            return ["--config-file", str(path)]
    return ["--no-config"]


def _why(printed: str) -> str:
    """What uv printed, without the boxes that it draws."""
    text = printed.translate(dict.fromkeys(map(ord, "×╰─▶│├"), " "))
    return redact(" ".join(text.split()))[:400] or "uv failed without a word"
