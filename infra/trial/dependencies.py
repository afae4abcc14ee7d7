"""What the tests of a local repository import, installed as the deployed system installs it, and kept for
the next trial.

$XDG_CACHE_HOME/self-heal/dependencies    an archive per set of requirements, the newest ones
$XDG_CACHE_HOME/self-heal/uv              what uv has fetched
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from functions.core.notify.counts import counted
from functions.core.untrusted.redaction import redact
from functions.install_dependencies.install import (
    Installed,
    check_places,
    install,
    installer_environment,
    target,
)
from functions.install_dependencies.installer import NotInstalled
from functions.install_dependencies.requirements import Requirements, wanted

_KEPT = 20
"""Archives: one per repository and change of what it asks for, of up to some 100 MB."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """archive: b"" where there is none; reason: why nothing is installed, or ""; lost: see `Installed`."""

    archive: bytes = b""
    reason: str = ""
    lost: tuple[str, ...] = ()


def prepare(
    tree: Mapping[str, bytes],
    python: str,
    as_of: str,
    progress: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> Prepared:
    """tree: the repository's files; python: such as "3.12"; as_of: see
    `functions.install_dependencies.install`.

    Never raises for what cannot be installed: nothing is run then, and the reason is said.
    """
    asked = wanted(tree)
    if asked.problem or not (asked.requirements or asked.itself.name):
        return Prepared(reason=redact(asked.problem), lost=asked.lost)
    uv = installer_environment(environment)
    home = Path(environment.get("HOME", tempfile.gettempdir()))
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache", "self-heal")
    try:
        check_places(asked, uv)
        done = _cached(asked, python, as_of, cache, uv, progress)
    except NotInstalled as error:
        return Prepared(reason=f"{error}{_offline(str(error))}")
    for clause in done.lost:
        progress(f"dependencies: {clause}")
    return Prepared(done.body, lost=done.lost)


def _cached(
    asked: Requirements,
    python: str,
    as_of: str,
    cache: Path,
    environment: Mapping[str, str],
    progress: Callable[[str], None],
) -> Installed:
    digest = asked.digest(target(python, as_of=as_of))
    kept = cache / "dependencies" / f"{digest}.tar.gz"
    if (known := _read(kept)) is not None:
        progress(f"dependencies: {counted(known.packages, 'package')}, kept from an earlier trial")
        return known
    done = install(asked, python, environment, as_of=as_of, cache=str(cache / "uv"), progress=progress)
    # A cache that cannot be written costs time only.
    with contextlib.suppress(OSError):
        _write(kept, done)
    return done


def _read(path: Path) -> Installed | None:
    try:
        told = json.loads(_beside(path).read_text())
        body = path.read_bytes()
    except (OSError, ValueError):
        return None
    if told.get("sha256") != hashlib.sha256(body).hexdigest():
        return None
    path.touch()
    return Installed(body, told["packages"], tuple(told["lost"]))


def _write(path: Path, done: Installed) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(done.body)
    told = {"sha256": hashlib.sha256(done.body).hexdigest(), "packages": done.packages, "lost": done.lost}
    _beside(path).write_text(json.dumps(told))
    archives = sorted(path.parent.glob("*.tar.gz"), key=lambda kept: kept.stat().st_mtime, reverse=True)
    for old in archives[_KEPT:]:
        old.unlink(missing_ok=True)
        _beside(old).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(path.name.replace(".tar.gz", ".json"))


def _offline(why: str) -> str:
    """What to do where the index cannot be reached."""
    if "error sending request" in why or "Failed to fetch" in why:
        return (
            "; the index that packages come from cannot be reached: go online once, what is installed then is"
            " kept, or name another one in UV_DEFAULT_INDEX"
        )
    return ""
