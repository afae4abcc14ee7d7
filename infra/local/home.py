"""The folder of an embedded run: where it is, who has it now, and what of a run is left in it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

KEPT = ("aws", "forge", "forge-token", "run.json")
"""What a run holds."""
LEFT = (*KEPT, "forge.log", "model.log", "cache/synth", "lock")
"""What is removed when it is forgotten; not the folder with all that is in it, which may be anybody's."""


def own() -> Path:
    """Where an embedded run is started: SELFHEAL_HOME, or `.selfheal` here."""
    return Path(os.environ.get("SELFHEAL_HOME") or ".selfheal")


def where() -> Path:
    """The folder of the embedded run to act on: its own, or where this installation last left one running."""
    here = own()
    with suppress(OSError):
        last = Path(_remembered().read_text())
        elsewhere = (last / "run.json").exists() and not (here / "run.json").exists()
        return last if elsewhere and "SELFHEAL_HOME" not in os.environ else here
    return here


def remember(home: Path) -> None:
    """Let commands find the run from any folder."""
    _remembered().parent.mkdir(parents=True, exist_ok=True)
    _remembered().write_text(str(home))


def _remembered() -> Path:
    """Each installation has its own: what one prints is pasted while another one's run is there, too."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "self-heal" / f"embedded-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]}"


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Only one start or stop at a time below a home; the lock goes with its holder, however that ends."""
    with _lock(home):
        yield


def _lock(home: Path) -> TextIO:
    """The lock's file, which nobody else has."""
    while True:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        # Whoever had it may have removed it.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), (home / "lock").stat()):
                return file
        file.close()


def forget(home: Path) -> None:
    """Remove all that a run, which was stopped, has left below a home."""
    with locked(home):
        wipe(home, LEFT)
    for folder in (home / "cache", home):
        with suppress(OSError):
            folder.rmdir()  # where nothing else is in it
    if _remembered().exists() and Path(_remembered().read_text()) == home.resolve():
        _remembered().unlink()


def wipe(home: Path, names: Sequence[str] = KEPT) -> None:
    """Remove what a run holds, or others of its files."""
    for name in names:
        path = home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
