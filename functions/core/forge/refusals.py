"""What a forge's refusals mean to the workflow, whichever forge it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeRefused,
    ForgeUnavailable,
    RepositoryNotFound,
    SelfHealError,
)

if TYPE_CHECKING:
    from functions.core.apps.app import App


def refusal(app: App, status: int, said: str, needs: str) -> SelfHealError:
    """The error that an answer stands for. status: HTTP's, 0 for what is no answer of this API; needs: what
    a token has to allow."""
    where = place(app)
    if status in (401, 403):
        return ForgeAccessDenied(
            f"{where}: credentials refused ({status}); renew the token in {app.credentials!r}"
            f" (needs: {needs}), then redrive"
        )
    if status == 404:
        return RepositoryNotFound(
            f"{where}: not found, or hidden from these credentials; check the app's repository"
        )
    if status == 429 or status >= 500 or not status:
        return ForgeUnavailable(f"{where}: answered {status or 'what is no answer of its API'}")
    return ForgeRefused(f"{where}: refused ({status}): {' '.join(said.split())[:300]}")


def unreachable(app: App, error: Exception) -> ForgeUnavailable:
    """No answer at all."""
    return ForgeUnavailable(f"{place(app)}: not reachable ({type(error).__name__})")


def place(app: App) -> str:
    """Which repository of which forge, for errors."""
    return f"{app.slug} at {app.forge_api}"
