"""Which adapter speaks to an app's forge: one row for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from functions.core.forge.github import GitHub
from functions.core.forge.gitlab import API_PATH, GitLab

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from functions.core.forge.port import Forge

# How the app's API address ends → the adapter; the first that fits. GitHub's own host has no path.
_ADAPTERS: tuple[tuple[str, Callable[[App, str], Forge]], ...] = ((API_PATH, GitLab), ("", GitHub))


def connect(app: App, token: str) -> Forge:
    """The app's repository, without a request yet: the first use asks the forge."""
    return next(adapter for end, adapter in _ADAPTERS if app.forge_api.rstrip("/").endswith(end))(app, token)
