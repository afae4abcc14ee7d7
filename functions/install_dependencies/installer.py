"""uv, as it is run here: for an app's own Python, which need not be here, and wheels only.

Nothing that is installed is run: no build, no setup.py, no .pth file.
"""

from __future__ import annotations

import importlib
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from functions.core.untrusted.redaction import redact
from functions.harness.interpreters import RELEASES, missing

# Amazon Linux 2023, on which the runner is: https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html
_GLIBC = "2_34"
SECONDS = 240.0
"""What resolving and installing may take together."""
_NO_SOLUTION = 1
"""How uv ends where what is asked for cannot be had; with 2 where uv itself could not work."""


class NotInstalled(Exception):
    """Why the requirements could not be installed, in one line."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be resolved together."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    as_of: str = ""
    """Date (ISO 8601) after which nothing that was uploaded counts; "" for none."""
    of_any_date: tuple[str, ...] = ()
    """Packages for which the date does not count."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """`name==version` of every package, or in `why` why there is no answer."""

    lines: tuple[str, ...] = ()
    why: str = ""


def platform_tag(machine: str = "") -> str:
    """The runner's platform as uv names it. machine: such as "aarch64"; "" for this one's own."""
    return f"{machine or platform.machine()}-manylinux_{_GLIBC}"


@dataclass(slots=True)
class Installer:
    """uv for one Python and platform, within one folder and one time.

    python: a version such as "3.12"; early: pre-releases count, too; cache: kept between calls, "" for the
    folder's own. Its methods raise NotInstalled.
    """

    folder: Path
    environment: Mapping[str, str]
    python: str
    machine: str = ""
    early: bool = False
    cache: str = ""
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def __post_init__(self) -> None:
        if self.python not in RELEASES:
            raise NotInstalled(missing(self.python))

    def may_still_resolve(self) -> bool:
        """Whether there will be time left to install what was resolved."""
        return self.until - time.monotonic() > SECONDS / 3

    def resolve(self, ask: Ask) -> Resolution:
        options = ["--no-header", "--no-annotate"]
        for name, option, lines in (
            ("requirements", "", ask.requirements),
            ("constraints", "--constraints", ask.constraints),
            ("excluded", "--excludes", ask.excluded),
        ):
            path = self.folder / f"{name}.txt"
            path.write_text("\n".join(lines) + "\n")
            options += [option, str(path)] if option else [str(path)]
        options += ["--exclude-newer", ask.as_of] if ask.as_of else []
        for name in ask.of_any_date if ask.as_of else ():
            options += ["--exclude-newer-package", f"{name}=false"]
        run = self._run(["compile", *options])
        if run.returncode == _NO_SOLUTION:
            return Resolution(why=_why(run))
        if run.returncode != 0:
            raise NotInstalled(_why(run))
        return Resolution(
            tuple(filter(None, map(str.strip, run.stdout.decode(errors="replace").splitlines())))
        )

    def install(self, lines: Sequence[str], site: Path) -> int:
        """Put packages, each of one version, into a folder; how many there are then."""
        requirements = self.folder / "resolved.txt"
        requirements.write_text("\n".join(lines) + "\n")
        put = ["install", "--no-deps", "--link-mode", "copy", "--target", str(site), "-r", str(requirements)]
        run = self._run(put)
        if run.returncode != 0:
            raise NotInstalled(_why(run))
        return sum(1 for path in site.iterdir() if path.name.endswith(".dist-info")) if site.is_dir() else 0

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        # --only-binary: a source distribution would run its build. --python-version: the release, because 3.9
        # would count as 3.9.0, which many packages exclude.
        options = [*_configuration(self.environment), "--quiet"]
        options += ["--cache-dir", self.cache or str(self.folder / "cache"), "--only-binary", ":all:"]
        options += ["--python", sys.executable, "--python-version", RELEASES[self.python]]
        options += ["--python-platform", platform_tag(self.machine)]
        options += ["--prerelease", "allow"] if self.early else []
        command = [str(importlib.import_module("uv").find_uv_bin()), "pip", *arguments, *options]
        try:
            return subprocess.run(
                command,
                cwd=self.folder,
                env=dict(self.environment),
                capture_output=True,
                timeout=max(0.0, self.until - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"uv took over {SECONDS:.0f} s") from None


def _configuration(environment: Mapping[str, str]) -> list[str]:
    """The machine's own configuration says where packages come from; none is looked for in the folders above
    the one that is installed into, where others may write."""
    own = Path(environment.get("XDG_CONFIG_HOME") or Path(environment["HOME"], ".config"), "uv", "uv.toml")
    for path in (own, Path("/etc/uv/uv.toml")):
        if path.is_file():
            return ["--config-file", str(path)]
    return ["--no-config"]


def _why(run: subprocess.CompletedProcess[bytes]) -> str:
    """What uv printed, without the boxes that it draws and the hints, which are for whoever runs uv."""
    printed = run.stderr.decode(errors="replace").partition("\nhint: ")[0]
    text = printed.translate(dict.fromkeys(map(ord, "×╰─▶│├"), " "))
    return redact(" ".join(text.split()))[:2000] or "uv failed without a word"
