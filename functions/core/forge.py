"""The forge's REST API (GitHub), through PyGithub, with its failures in the workflow's vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from functions.core.errors import ForgeAccessDenied, ForgeUnavailable, RepositoryNotFound

if TYPE_CHECKING:
    from github.Repository import Repository

    from functions.core.app import App

_TIMEOUT_SECONDS = 20


def connect(app: App, token: str) -> Repository:
    """The app's repository, without a request yet: the first use asks the forge.

    Retrying is the workflow's business, where it is visible, so PyGithub's own retries are off.
    """
    from github import Auth, Github

    client = Github(
        auth=Auth.Token(token) if token else None,
        base_url=app.forge_api,
        timeout=_TIMEOUT_SECONDS,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
    )
    return client.get_repo(app.slug)


@contextmanager
def forge_errors(app: App) -> Iterator[None]:
    """Translate PyGithub's and the connection's errors.

    Raises ForgeUnavailable, ForgeAccessDenied or RepositoryNotFound. Anything else the forge refuses (422)
    passes through as GithubException, since only the caller knows what it asked for.
    """
    import requests
    from github import GithubException, RateLimitExceededException

    where = f"{app.slug} at {app.forge_api}"
    try:
        yield
    except RateLimitExceededException as error:
        raise ForgeUnavailable(f"{where}: rate limit reached; the workflow tries again later") from error
    except GithubException as error:
        if error.status in (401, 403):
            raise ForgeAccessDenied(
                f"{where}: credentials refused ({error.status}); renew the token in {app.credentials!r}"
                " (needs: contents and pull requests, read and write), then redrive"
            ) from error
        if error.status == 404:
            raise RepositoryNotFound(
                f"{where}: not found, or hidden from these credentials; check the app's repository"
            ) from error
        if error.status == 429 or error.status >= 500:
            raise ForgeUnavailable(f"{where}: answered {error.status}") from error
        raise
    except requests.RequestException as error:
        raise ForgeUnavailable(f"{where}: not reachable ({type(error).__name__})") from error
