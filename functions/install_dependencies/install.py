"""Installs wheels into a directory. Nothing that is installed is run: no build, no setup.py, no .pth file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from functions.core.redaction import redact
from functions.install_dependencies.wanted import Wanted

_SECONDS = 240
_PIP = Path(__file__).with_name("wheels_only.py")
_KEPT = frozenset(
    {"PATH", "HOME", "LANG", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)


class NotInstalled(Exception):
    """Why the requirements could not be installed, in one line."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution as pip reports it: canonical name, version, `sha256:…`, and if an address named it."""

    name: str
    version: str
    sha256: str
    by_address: bool


def pip_environment(environment: Mapping[str, str], index: str = "") -> dict[str, str]:
    """What pip gets of an environment: where packages come from, and no credentials of this system.

    index: address of the one index that the operator has named, if any.
    """
    kept = {k: v for k, v in environment.items() if k in _KEPT or k.startswith("PIP_")}
    if index:
        kept["PIP_INDEX_URL"] = index
    return {"HOME": "/tmp", **kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}  # noqa: S108 - Lambda's only writable place


def check_places(asked: Wanted, environment: Mapping[str, str]) -> None:
    """Raises NotInstalled if a file names an index or a folder that the operator has not named as well."""
    ours = {
        f"{option} {_address(value)}"
        for option, name in (
            ("--index-url", "PIP_INDEX_URL"),
            ("--extra-index-url", "PIP_EXTRA_INDEX_URL"),
            ("--find-links", "PIP_FIND_LINKS"),
        )
        for value in environment.get(name, "").split()
    }
    for place in asked.places:
        if _address(place) not in ours:
            raise NotInstalled(
                redact(
                    f"the repository's files say where packages come from ({place[:100]}), which the operator"
                    " has not: the same names elsewhere may be other packages, so nothing is installed"
                )
            )


def install(asked: Wanted, folder: Path, environment: Mapping[str, str]) -> int:
    """Install into `folder`/site; how many packages there are then. Raises NotInstalled."""
    requirements, constraints = folder / "requirements.txt", folder / "constraints.txt"
    requirements.write_text("\n".join(asked.requirements) + "\n")
    constraints.write_text("\n".join(asked.constraints) + "\n")
    report = folder / "report.json"
    # --only-binary: a source distribution would run its build. --isolated is not given: the machine's own
    # configuration says where packages come from. -I: neither the folder nor the environment adds modules.
    command = [
        sys.executable,
        "-I",
        str(_PIP),
        "install",
        "--quiet",
        "--only-binary",
        ":all:",
        "--no-compile",
    ]
    command += ["--no-cache-dir", "--target", str(folder / "site"), "--report", str(report)]
    command += ["-r", str(requirements), "-c", str(constraints), *(["--pre"] if asked.early_versions else [])]
    try:
        run = subprocess.run(
            command, cwd=folder, env=dict(environment), capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip took over {_SECONDS} s") from None
    if run.returncode != 0:
        raise NotInstalled(_why(run.stderr.decode(errors="replace")))
    installed = read_report(json.loads(report.read_text()))
    check_distributions(asked, installed)
    return len(installed)


def read_report(report: dict[str, Any]) -> list[Installed]:
    """pip's installation report. https://pip.pypa.io/en/stable/reference/installation-report/"""
    found = []
    for item in report["install"]:
        hashes = item["download_info"].get("archive_info", {}).get("hashes", {})
        found.append(
            Installed(
                canonicalize_name(item["metadata"]["name"]),
                item["metadata"]["version"],
                f"sha256:{hashes.get('sha256', '')}",
                bool(item["is_direct"]),
            )
        )
    return found


def check_distributions(asked: Wanted, installed: Iterable[Installed]) -> None:
    """Raises NotInstalled for a distribution that an address named, or that is not one which was meant."""
    for one in installed:
        meant = asked.hashes.get(one.name)
        if one.by_address:
            raise NotInstalled(f"a package needs {one.name} from an address of its own")
        if meant and one.sha256 not in meant:
            raise NotInstalled(
                f"{one.name} {one.version} is {one.sha256}, which is none of the repository's hashes"
            )
        if not meant and asked.hashed:
            raise NotInstalled(f"{one.name} {one.version} is needed too, and has no hash as all others have")


def _address(text: str) -> str:
    return text.rstrip("/")


def _why(printed: str) -> str:
    """The errors that pip printed, without what it tried before."""
    errors = [line.removeprefix("ERROR: ") for line in printed.splitlines() if line.startswith("ERROR: ")]
    text = "; ".join(errors) or printed.strip()[-300:] or "pip failed without a word"
    return redact(" ".join(text.split()))[:400]
