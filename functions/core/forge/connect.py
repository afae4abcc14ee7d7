"""Which adapter speaks to an app's forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.forge.github import GitHub

if TYPE_CHECKING:
    from functions.core.app import App
    from functions.core.forge.port import Forge


def connect(app: App, token: str) -> Forge:
    """The app's repository, without a request yet: the first use asks the forge."""
    return GitHub(app, token)
