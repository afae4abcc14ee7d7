"""GitHub and GitHub Enterprise Server, through PyGithub, with its failures in the workflow's vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from functions.core.forge.port import Comparison, PullRequest, State, Survey
from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeRefused,
    ForgeUnavailable,
    RepositoryNotFound,
)

if TYPE_CHECKING:
    from github.PullRequest import PullRequest as Pull
    from github.Repository import Repository

    from functions.core.apps.app import App

Found = TypeVar("Found")

_TIMEOUT_SECONDS = 20
_PAGE = re.compile(r"/pull/([0-9]{1,9})$")


class GitHub:
    """One repository of GitHub's (see `port.Forge`)."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token

    def find(self, branch: str, base: str) -> PullRequest | None:
        owner = self._app.slug.split("/", 1)[0]
        with self._errors():
            pulls = self._repository.get_pulls(
                state="all", head=f"{owner}:{branch}", base=base, sort="created", direction="desc"
            )
            # GitHub leaves a filter out that it cannot read.
            return next((_pull(pull) for pull in pulls if pull.head.ref == branch), None)

    def open(self, branch: str, base: str, title: str, body: str) -> PullRequest:
        try:
            with self._errors():
                return _pull(self._repository.create_pull(base=base, head=branch, title=title, body=body))
        except ForgeRefused:
            # That is also the answer where another run opened it between the caller's look and this request.
            found = self.find(branch, base)
            if found is None or found.state is not State.OPEN:
                raise
            return found

    def get(self, number: int) -> PullRequest:
        with self._errors():
            return _pull(self._repository.get_pull(number))

    def number(self, url: str) -> int | None:
        found = _PAGE.search(url)
        return int(found[1]) if found else None

    def ask_reviewers(self, pull: PullRequest, names: Sequence[str]) -> bool:
        try:
            with self._errors():
                self._repository.get_pull(pull.number).create_review_request(reviewers=list(names))
        except ForgeRefused:
            return False
        return True

    def compare(self, one: str, other: str) -> Comparison:
        with self._errors():
            found = self._repository.compare(one, other)
            return Comparison(found.merge_base_commit.sha, found.ahead_by)

    def survey(self, branch: str, revision: str, people: Sequence[str]) -> Survey:
        with self._errors():
            repository = self._repository.complete()
            permissions = repository.permissions
            found = _unless_missing(lambda: repository.get_branch(branch))
            # Made without a request; its message needs one.
            known = _unless_missing(lambda: repository.get_commit(revision).commit.message)
            return Survey(
                may_push=bool(permissions and permissions.push),
                administers=bool(permissions and permissions.admin),
                archived=bool(repository.archived),
                kilobytes=int(repository.size or 0),
                has_branch=found is not None,
                protected=bool(found and found.protected),
                has_revision=known is not None,
                strangers=tuple(name for name in people if not repository.has_in_collaborators(name)),
            )

    @cached_property
    def _repository(self) -> Repository:
        from github import Auth, Github

        client = Github(
            auth=Auth.Token(self._token) if self._token else None,
            base_url=self._app.forge_api,
            timeout=_TIMEOUT_SECONDS,
            # Retrying is the workflow's business, where it is visible.
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )
        return client.get_repo(self._app.slug)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import requests
        from github import GithubException, RateLimitExceededException

        where = f"{self._app.slug} at {self._app.forge_api}"
        try:
            yield
        except RateLimitExceededException as error:
            raise ForgeUnavailable(f"{where}: rate limit reached; the workflow tries again later") from error
        except GithubException as error:
            if error.status in (401, 403):
                raise ForgeAccessDenied(
                    f"{where}: credentials refused ({error.status}); renew the token in"
                    f" {self._app.credentials!r} (needs: contents and pull requests, read and write), then"
                    " redrive"
                ) from error
            if error.status == 404:
                raise RepositoryNotFound(
                    f"{where}: not found, or hidden from these credentials; check the app's repository"
                ) from error
            if error.status == 429 or error.status >= 500:
                raise ForgeUnavailable(f"{where}: answered {error.status}") from error
            raise ForgeRefused(f"{where}: refused ({error.status}): {_said(error.data)}") from error
        except requests.RequestException as error:
            raise ForgeUnavailable(f"{where}: not reachable ({type(error).__name__})") from error


def _unless_missing(ask: Callable[[], Found]) -> Found | None:
    from github import GithubException

    try:
        return ask()
    except GithubException as error:
        if error.status in (404, 422):
            return None
        raise


def _pull(pull: Pull) -> PullRequest:
    state = State.MERGED if pull.merged_at else State(pull.state)
    merged = (pull.merge_commit_sha or "") if state is State.MERGED else ""
    return PullRequest(pull.number, pull.html_url, pull.head.ref, pull.base.ref, pull.head.sha, state, merged)


def _said(data: object) -> str:
    """The words of a refusal, in one bounded line."""
    if not isinstance(data, dict):
        return "no reason given"
    errors = [
        str(e.get("message") or e.get("field") or "") for e in data.get("errors") or [] if isinstance(e, dict)
    ]
    return " ".join(f"{data.get('message', '')} {' '.join(errors)}".split())[:300]
