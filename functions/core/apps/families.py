"""Which entry is a family, and not an app itself: see discovery.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from functions.core.workflow.errors import AppInvalid

if TYPE_CHECKING:
    from functions.core.apps.app import App

ANY = "*"
"""Stands, in a family's `repository`, for the name of one."""
LONGEST_NAME = 20
"""So that the names of what is discovered, which begin with it, are no longer than others."""
_REPOSITORIES = re.compile(r"https?://[^/*]+(/[^/*]+)+/\*")


def check_family(app: App) -> None:
    """Raises AppInvalid for an entry that is neither an app nor a family."""
    if not app.is_family:
        return
    if not _REPOSITORIES.fullmatch(app.repository):
        raise AppInvalid(
            f"app {app.name!r}: 'repository' may end in '/*' behind an owner, such as"
            " https://github.com/acme/*, and hold no other '*'"
        )
    if app.entry == app.name and len(app.name) > LONGEST_NAME:
        raise AppInvalid(f"app {app.name!r}: a family's name has at most {LONGEST_NAME} characters")
    if app.log_groups:
        raise AppInvalid(f"app {app.name!r}: a family of functions watches no 'log_groups' of its own")
