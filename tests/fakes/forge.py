"""The embedded forge as tests have it: in trouble when it is told to, and with what people and jobs say.

It also knows GitHub Apps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug import Request, Response

from infra.local.forge import ForgeServer, git_http, gitlab, rest
from infra.local.forge.answers import BASE_PATH
from infra.local.forge.server import cut
from tests.fakes.github import Checks, GitHubApi, RegisteredApp
from tests.fakes.gitlab import GitLabWithJobs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_HANGS_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Outage:
    """A failure on purpose: git and REST requests get `status`, and `retry_after` in seconds.

    api_only: git still works; times: how many requests fail before all is well again, None: all of them.
    """

    status: int
    retry_after: int | None = None
    api_only: bool = False
    times: int | None = None


class Trouble(StrEnum):
    """What may become of one request."""

    FAILS = "fails"
    """It is refused for now, and nothing is done."""
    HANGS = "times out"
    """Nothing is done, and no answer comes."""
    LOST = "is done, its answer lost"


@dataclass
class Interruption:
    """Trouble with one request, the `at`th from now on, counted from 0. seen: the requests so far."""

    at: int
    how: Trouble
    seen: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    """Ends what hangs."""


class Forge(ForgeServer):
    def __init__(self, directory: Path, token: str, port: int = 0) -> None:
        super().__init__(directory, token, port)
        self.outage: Outage | None = None
        self.interruption: Interruption | None = None
        self._checks = Checks()
        self._github = self._apps = GitHubApi(self._store, self._pulls, self._checks, token)
        self._gitlab = GitLabWithJobs(self._store, self._pulls, self._checks)

    @property
    def api_url(self) -> str:
        """Base URL of the REST API, for PyGithub's `base_url`."""
        return self.url + BASE_PATH

    @property
    def gitlab_api_url(self) -> str:
        """Base URL of the same repositories in GitLab's words."""
        return self.url + gitlab.BASE_PATH

    def create_repository(
        self, slug: str, source: Path, *, private: bool = True, collaborators: Sequence[str] = ()
    ) -> str:
        """Import a folder, as the embedded run does; works whether or not the forge is started."""
        return self._store.create(slug, source, private=private, collaborators=collaborators)

    def register_app(self, app: RegisteredApp, installation: int) -> None:
        """Let a GitHub App have tokens."""
        self._apps.apps[installation] = app

    def say(self, slug: str, number: int, text: str, author: str, *, changes_requested: bool = False) -> None:
        """Somebody's remark on a pull request, or their review that asks for changes."""
        self._pulls.comment(slug, number, text, author, changes_requested=changes_requested)

    def check(self, slug: str, sha: str, name: str, conclusion: str, printed: str = "") -> None:
        """What a job says of a commit. conclusion: GitHub's word, "" while it runs."""
        self._checks.add(slug, sha, name, conclusion, printed)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        trouble = self._troubled(request)
        if trouble is Trouble.FAILS:
            return _failing(Outage(503))(environ, start_response)
        response = Response() if trouble is Trouble.HANGS else self._answer(request)
        if trouble is not None:
            response.get_data()  # all of it is done
            cut(environ["werkzeug.socket"])
        return response(environ, start_response)

    def _troubled(self, request: Request) -> Trouble | None:
        one = self.interruption
        if one is None:
            return None
        one.seen.append(f"{request.method} {request.path}")
        if len(one.seen) != one.at + 1:
            return None
        if one.how is Trouble.HANGS:
            one.over.wait(_HANGS_SECONDS)
        return one.how

    def _answer(self, request: Request) -> Response:
        outage, to_api = self.outage, rest.is_api(request) or gitlab.is_api(request)
        if outage and (to_api or (git_http.is_git(request) and not outage.api_only)):
            if outage.times is not None:
                self.outage = replace(outage, times=outage.times - 1) if outage.times > 1 else None
            return _failing(outage)
        return super()._answer(request)


def _failing(outage: Outage) -> Response:
    messages = {
        429: "API rate limit exceeded",
        503: "No server is currently available to service your request.",
    }
    response = rest.error(outage.status, messages.get(outage.status, "Server Error"))
    if outage.retry_after is not None:
        response.headers["Retry-After"] = str(outage.retry_after)
    return response
