"""Installs what a repository asks for into a directory, and puts the project itself beside it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.utils import canonicalize_name

from functions.core.notify.counts import counted
from functions.core.source import archive
from functions.core.untrusted.redaction import redact
from functions.core.workflow.dependencies import LIMITS
from functions.core.workflow.errors import SourceTooLarge
from functions.harness.interpreters import RELEASES
from functions.harness.job import GENERATED
from functions.install_dependencies import project
from functions.install_dependencies.installer import Installer, NotInstalled, platform_tag
from functions.install_dependencies.requirements import Requirements
from functions.install_dependencies.resolve import Resolved, resolve

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
_SAID = 12
"""Of what was lost, how many clauses are kept: a page shows no more."""


@dataclass(frozen=True, slots=True)
class Installed:
    """body: an archive of the packages and, below `GENERATED`, of files of the repository that a build would
    have written; lost: what is missing or other than asked for, one clause each."""

    body: bytes
    packages: int
    lost: tuple[str, ...]


def target(python: str, machine: str = "", as_of: str = "") -> str:
    """What wheels are chosen for: a release of a Python version, a platform, and a date.

    machine: such as "aarch64"; "" for this one's own.
    """
    return f"{RELEASES.get(python, python)} {platform_tag(machine)} {as_of}".strip()


def day_after(committed: str) -> str:
    """The date by which what a revision asks for was there: a day later, for clocks differ, and people
    commit what they are about to publish. "" for what is no time (ISO 8601)."""
    try:
        return (datetime.fromisoformat(committed).astimezone(UTC) + timedelta(days=1)).date().isoformat()
    except (ValueError, OverflowError):
        return ""


def installer_environment(environment: Mapping[str, str], index: str = "") -> dict[str, str]:
    """What uv gets of an environment: where packages come from, and no credentials of this system.

    index: address of the one index that the operator has named, if any.
    """
    kept = {k: v for k, v in environment.items() if k in _KEPT or k.startswith("UV_")}
    translated = {ours: environment[theirs] for theirs, ours in _OF_PIP.items() if theirs in environment}
    named = {"UV_DEFAULT_INDEX": index} if index else {}
    return {"HOME": "/tmp", **translated, **kept, **named}  # noqa: S108 - Lambda's only writable place


def check_places(asked: Requirements, environment: Mapping[str, str]) -> None:
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
    asked: Requirements,
    python: str,
    environment: Mapping[str, str],
    *,
    machine: str = "",
    as_of: str = "",
    cache: str = "",
    progress: Callable[[str], None] = lambda text: None,
) -> Installed:
    """Install for a Python version such as "3.12". machine, as_of: see `target`; cache: see `Installer`.

    Raises NotInstalled.
    """
    with tempfile.TemporaryDirectory(prefix="self-heal-") as temporary:
        folder = Path(temporary)
        site = folder / "site"
        site.mkdir()
        packages, lost = 0, asked.lost
        if asked.requirements:
            uv = Installer(folder, environment, python, machine, asked.early_versions, cache)
            progress(
                f"dependencies: resolving {counted(len(asked.requirements), 'requirement')}"
                f" for Python {python}"
            )
            found = resolve(asked, uv.resolve, as_of, uv.may_still_resolve)
            lost += found.lost
            if found.lines:
                progress(f"dependencies: installing {counted(len(found.lines), 'package')}")
                packages = uv.install(_with_hashes(asked, found), site)
        _put_itself(asked.itself, site)
        try:
            body = archive.pack(archive.members_of(site), LIMITS)
        except SourceTooLarge:
            raise NotInstalled(f"they take more than {LIMITS.bytes / 1e6:,.0f} MB") from None
    return Installed(body, packages, _said(lost))


def _put_itself(itself: project.Project, site: Path) -> None:
    generated = ((f"{GENERATED}/{path}", text) for path, text in itself.generated.items())
    for path, text in (*project.files(itself), *generated):
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text, "utf-8")
        if path.startswith(f"{project.COMMANDS}/"):
            (site / path).chmod(0o755)


def _with_hashes(asked: Requirements, found: Resolved) -> list[str]:
    """The packages that were chosen, `name==version`, each with what its bytes may be: now that each version
    is known, uv compares each hash; of a range it would compare none.

    Raises NotInstalled for one that an address named, or that has no hash where all others have.
    """
    lines = []
    for line in found.lines:
        match = _RESOLVED.fullmatch(line)
        if match is None:
            raise NotInstalled(redact(f"a package needs another from an address of its own: {line[:100]}"))
        name = canonicalize_name(match["name"])
        meant = () if name in found.of_plugins else asked.hashes.get(name, ())
        if asked.hashed and not meant and name not in found.of_plugins:
            raise NotInstalled(f"{line} is needed too, and has no hash as all others have")
        lines.append(" ".join((line, *(f"--hash={value}" for value in meant))))
    return lines


def _said(lost: Sequence[str]) -> tuple[str, ...]:
    clauses = tuple(redact(clause)[:300] for clause in dict.fromkeys(lost))
    more = len(clauses) - _SAID
    return (*clauses[:_SAID], *((f"{more} more are not as asked for",) if more > 0 else ()))


def _address(text: str) -> str:
    return text.rstrip("/")
