"""A GitHub App instead of a person's token: no seat, no expiry, and what a step gets is its own.

What is kept is the App's private key. From it each run mints a token that is good for one hour, for one
repository, and for what a heal does there.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from functions.core.forge.trust import authorities
from functions.core.workflow.errors import ForgeAccessDenied, ForgeUnavailable

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from functions.core.apps.registry import Registry

PERMISSIONS = {"contents": "write", "pull_requests": "write"}
_TIMEOUT_SECONDS = 20
_KEPT = re.compile(r"app=([0-9]{1,18}) installation=([0-9]{1,18})\n(.+)", re.S)


@dataclass(frozen=True, slots=True)
class Installation:
    """A GitHub App where it is installed. private_key: PEM, as GitHub gives it out."""

    app_id: int
    installation_id: int
    private_key: str = field(repr=False)

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """What `to_text` wrote; None for anything else, such as a token."""
        found = _KEPT.fullmatch(text)
        return cls(int(found[1]), int(found[2]), found[3]) if found else None

    def to_text(self) -> str:
        """One text, to be kept as a secret."""
        return f"app={self.app_id} installation={self.installation_id}\n{self.private_key.strip()}\n"

    def mint(self, app: App) -> str:
        """A new token for the app's repository. Raises ForgeAccessDenied or ForgeUnavailable."""
        import requests
        from github import Auth
        from jwt import PyJWTError

        where = f"GitHub App {self.app_id}, installation {self.installation_id}"
        try:
            proof = Auth.AppAuth(self.app_id, self.private_key).create_jwt()
        except (ValueError, PyJWTError) as error:
            raise ForgeAccessDenied(
                f"{where}: the private key cannot be read; give it again: selfheal configure {app.name}"
                f" --github-app {self.app_id}:{self.installation_id} --token-file KEY.pem, then redrive"
            ) from error
        try:
            answer = requests.post(
                f"{app.forge_api.rstrip('/')}/app/installations/{self.installation_id}/access_tokens",
                json={"repositories": [app.slug.rpartition("/")[2]], "permissions": PERMISSIONS},
                headers={"Authorization": f"Bearer {proof}", "Accept": "application/vnd.github+json"},
                timeout=_TIMEOUT_SECONDS,
                verify=authorities(app) or True,
                # The key's proof goes to this host alone.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ForgeUnavailable(
                f"{where} at {app.forge_api}: not reachable ({type(error).__name__})"
            ) from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise ForgeUnavailable(f"{where} at {app.forge_api}: answered {answer.status_code}")
        if answer.status_code != 201:
            raise ForgeAccessDenied(
                f"{where} at {app.forge_api}: no token for {app.slug} ({answer.status_code}); check that the"
                " App is installed there with contents and pull requests, read and write, and that its key is"
                " not revoked, then redrive"
            )
        return str(answer.json()["token"])


def token_of(registry: Registry, app: App) -> str:
    """A token for the app's forge: the one that is kept, or one that its GitHub App gives; "" for an app
    without credentials. Raises what `Registry.credentials` and `Installation.mint` do.
    """
    kept = registry.credentials(app)
    installation = Installation.from_text(kept)
    return installation.mint(app) if installation else kept
