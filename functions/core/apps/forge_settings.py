"""What an app's entry says of its forge: the repository's address, the API, and what proves who is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from functions.core.forge.host_keys import host_keys
from functions.core.workflow.errors import AppInvalid

if TYPE_CHECKING:
    from functions.core.apps.app import App

_AUTHOR = re.compile(r"[^<>\n\0]{1,100} <[^<>@\s]{1,64}@[^<>@\s]{1,190}>")
_HOST_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{40,2000}={0,2}")
# With the deployment's stage, if it has one. Functions read their own deployment's alone.
_CREDENTIALS = re.compile(r"/self-heal(-[a-z0-9]+)?/credentials/")


def api_of(repository: str) -> str:
    """The REST API that belongs to a repository's host: GitHub's or GitLab's own, or GitHub Enterprise's."""
    url = urlsplit(repository)
    if url.hostname in (None, "github.com"):
        return "https://api.github.com"
    if url.hostname == "gitlab.com":
        return "https://gitlab.com/api/v4"
    return f"{url.scheme}://{url.netloc}/api/v3"


def check_forge(app: App) -> None:
    """Raises AppInvalid for addresses that cannot be used, or that do not belong together."""
    name = app.name
    for key in ("repository", "forge_api"):
        url = urlsplit(getattr(app, key))
        if url.scheme not in ("https", "http") or not url.hostname or url.username or url.password:
            raise AppInvalid(f"app {name!r}: {key!r} must be an https URL without credentials")
        if url.scheme == "http" and url.hostname != "127.0.0.1":
            raise AppInvalid(f"app {name!r}: {key!r} must use https: it carries the token")
    if urlsplit(app.forge_api).netloc.lower() not in (app.host, f"api.{app.host}"):
        raise AppInvalid(
            f"app {name!r}: 'forge_api' is {app.forge_api}, which is not of the repository's host {app.host}"
        )
    if app.commit_author and not _AUTHOR.fullmatch(app.commit_author):
        raise AppInvalid(f"app {name!r}: 'commit_author' must be like \"NAME <MAIL>\", or empty")
    _check_deploy_key(app)
    if app.certificate_authority and not _are_certificates(app.certificate_authority):
        raise AppInvalid(f"app {name!r}: 'certificate_authority' must hold certificates in PEM, or be empty")
    if app.credentials and not _CREDENTIALS.fullmatch(app.credentials.removesuffix(app.entry)):
        own = f"/self-heal/credentials/{app.entry}"
        raise AppInvalid(f"app {name!r}: 'credentials' can only be the app's own, such as {own}")


def _check_deploy_key(app: App) -> None:
    """Raises AppInvalid where nothing would tell whether the SSH server is the forge's."""
    if not 0 < app.ssh_port < 1 << 16:
        raise AppInvalid(f"app {app.name!r}: 'ssh_port' must be from 1 to 65535")
    if (app.deploy_key and not host_keys(app)) or not all(map(_HOST_KEY.fullmatch, app.ssh_host_keys)):
        raise AppInvalid(
            f"app {app.name!r}: 'ssh_host_keys' must hold what the SSH server of {app.host} is known by, such"
            " as \"ssh-ed25519 AAAA...\": only GitHub's and GitLab's own are known here"
        )


def _are_certificates(text: str) -> bool:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True
