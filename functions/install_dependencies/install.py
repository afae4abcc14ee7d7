"""Installs wheels into a directory, for an app's own Python, which need not be here.

Nothing that is installed is run: no build, no setup.py, no .pth file.
"""

from __future__ import annotations

import importlib
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

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
_PLACES = {
    "UV_DEFAULT_INDEX": "--index-url",
    "UV_INDEX": "--extra-index-url",
    "UV_FIND_LINKS": "--find-links",
}
"""What the operator says to uv, and the option by which a requirements file says it."""
_RESOLVED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==[A-Za-z0-9.+!_-]+")


class NotInstalled(Exception):
    """Why the requirements could not be installed, in one line."""


def target(python: str, machine: str = "") -> str:
    """What wheels are chosen for: a release of a Python version and a platform.

    machine: such as "aarch64"; "" for this one's own.
    """
    return f"{RELEASES.get(python, python)} {_platform(machine)}"


def installer_environment(environment: Mapping[str, str], index: str = "") -> dict[str, str]:
    """What uv gets of an environment: where packages come from, and no credentials of this system.

    index: address of the one index that the operator has named, if any.
    """
    kept = {k: v for k, v in environment.items() if k in _KEPT or k.startswith("UV_")}
    translated = {ours: environment[theirs] for theirs, ours in _OF_PIP.items() if theirs in environment}
    named = {"UV_DEFAULT_INDEX": index} if index else {}
    return {"HOME": "/tmp", **translated, **kept, **named}  # noqa: S108 - Lambda's only writable place


def check_places(asked: Wanted, environment: Mapping[str, str]) -> None:
    """Raises NotInstalled if a file names an index or a folder that the operator has not named as well."""
    ours = {
        f"{option} {_address(value)}"
        for name, option in _PLACES.items()
        for value in re.split(r"[\s,]+", environment.get(name, ""))
    }
    for place in asked.places:
        if _address(place) not in ours:
            raise NotInstalled(
                redact(
                    f"the repository's files say where packages come from ({place[:100]}), which the operator"
                    " has not: the same names elsewhere may be other packages, so nothing is installed"
                )
            )


def install(
    asked: Wanted, python: str, folder: Path, environment: Mapping[str, str], machine: str = ""
) -> int:
    """Install into `folder`/site for a version such as "3.12"; how many packages there are then. machine: see
    `target`.

    Raises NotInstalled.
    """
    if python not in RELEASES:
        raise NotInstalled(missing(python))
    requirements, constraints, site = folder / "requirements.txt", folder / "constraints.txt", folder / "site"
    requirements.write_text("\n".join(asked.requirements) + "\n")
    constraints.write_text("\n".join(asked.constraints) + "\n")
    # --only-binary: a source distribution would run its build. --python-version: the release, because 3.9
    # would count as 3.9.0, which many packages exclude.
    options = [*_configuration(environment), "--quiet", "--cache-dir", str(folder / "cache")]
    options += ["--only-binary", ":all:", "--python", sys.executable, "--python-version", RELEASES[python]]
    options += ["--python-platform", _platform(machine)]
    options += ["--prerelease", "allow"] if asked.early_versions else []
    resolve = ["compile", str(requirements), "-c", str(constraints), "--no-header", "--no-annotate"]
    until = time.monotonic() + _SECONDS
    resolved = _uv([*resolve, *options], folder, environment, until).splitlines()
    # Now that each version is known, uv compares each hash; of a range it would compare none.
    requirements.write_text("\n".join(_with_hashes(asked, resolved)) + "\n")
    put = ["install", "--no-deps", "--link-mode", "copy", "--target", str(site), "-r", str(requirements)]
    _uv([*put, *options], folder, environment, until)
    return sum(1 for path in site.iterdir() if path.name.endswith(".dist-info")) if site.is_dir() else 0


def _with_hashes(asked: Wanted, resolved: Sequence[str]) -> list[str]:
    """The packages that were chosen, `name==version`, each with what its bytes may be.

    Raises NotInstalled for one that an address named, or that has no hash where all others have.
    """
    lines = []
    for line in filter(None, map(str.strip, resolved)):
        match = _RESOLVED.fullmatch(line)
        if match is None:
            raise NotInstalled(redact(f"a package needs another from an address of its own: {line[:100]}"))
        meant = asked.hashes.get(canonicalize_name(match["name"]), ())
        if asked.hashed and not meant:
            raise NotInstalled(f"{line} is needed too, and has no hash as all others have")
        lines.append(" ".join((line, *(f"--hash={value}" for value in meant))))
    return lines


def _uv(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], until: float) -> str:
    """What `uv pip` prints; until: as `time.monotonic` tells. Raises NotInstalled."""
    command = [str(importlib.import_module("uv").find_uv_bin()), "pip", *arguments]
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            timeout=max(0.0, until - time.monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"uv took over {_SECONDS} s") from None
    if run.returncode != 0:
        raise NotInstalled(_why(run.stderr.decode(errors="replace")))
    return run.stdout.decode(errors="replace")


def _platform(machine: str) -> str:
    return f"{machine or platform.machine()}-manylinux_{_GLIBC}"


def _configuration(environment: Mapping[str, str]) -> list[str]:
    """The machine's own configuration says where packages come from; none is looked for in the folders above
    the one that is installed into, where others may write."""
    own = Path(environment.get("XDG_CONFIG_HOME") or Path(environment["HOME"], ".config"), "uv", "uv.toml")
    for path in (own, Path("/etc/uv/uv.toml")):
        if path.is_file():
            return ["--config-file", str(path)]
    return ["--no-config"]


def _address(text: str) -> str:
    return text.rstrip("/")


def _why(printed: str) -> str:
    """What uv printed, without the boxes that it draws."""
    text = printed.translate(dict.fromkeys(map(ord, "×╰─▶│├"), " "))
    return redact(" ".join(text.split()))[:400] or "uv failed without a word"
