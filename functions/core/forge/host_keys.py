"""By which the SSH servers of forges are known; the published keys are in `host_keys.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from functions.core.apps.app import App

PUBLISHED = Path(__file__).with_suffix(".toml")


def host_keys(app: App) -> tuple[str, ...]:
    """By which the app's SSH server is known: what the entry says, else what its forge publishes; () where
    that is none of those."""
    return app.ssh_host_keys or published().get(urlsplit(app.repository).hostname or "", ())


@cache
def published() -> Mapping[str, tuple[str, ...]]:
    """Host → its keys."""
    rows = tomllib.loads(PUBLISHED.read_text())["forge"]
    return {row["host"]: tuple(row["keys"].values()) for row in rows}
