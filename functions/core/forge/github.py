"""GitHub and GitHub Enterprise Server, through PyGithub, with its failures in the workflow's vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from functions.core.forge import code_owners
from functions.core.forge.port import Check, Comparison, Conclusion, PullRequest, Remark, State, Survey
from functions.core.forge.refusals import place, refusal, unreachable
from functions.core.forge.trust import authorities
from functions.core.workflow.errors import ForgeRefused, ForgeUnavailable

if TYPE_CHECKING:
    from github.NamedUser import NamedUser
    from github.Organization import Organization
    from github.PullRequest import PullRequest as Pull
    from github.Repository import Repository

    from functions.core.apps.app import App

Found = TypeVar("Found")

_TIMEOUT_SECONDS = 20
_PRINTED = 6_000
"""Bytes of a job's output, from its end."""
# https://docs.github.com/rest/checks/runs: what was cancelled or is stale says nothing.
_CONCLUSIONS = {
    **dict.fromkeys(("success", "neutral", "skipped"), Conclusion.PASSED),
    **dict.fromkeys(("failure", "timed_out", "startup_failure"), Conclusion.FAILED),
}
_STATUSES = {
    "success": Conclusion.PASSED,
    "failure": Conclusion.FAILED,
    "error": Conclusion.FAILED,
}
_BLAME = """query($owner: String!, $name: String!, $sha: GitObjectID!, $path: String!) {
  repository(owner: $owner, name: $name) { object(oid: $sha) { ... on Commit { blame(path: $path) {
    ranges { startingLine endingLine commit { committedDate author { user { login } } } }
  } } } }
}"""
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

    def open(self, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        try:
            with self._errors():
                return _pull(
                    self._repository.create_pull(base=base, head=branch, title=title, body=body, draft=draft)
                )
        except ForgeRefused as error:
            if draft and "draft" in str(error).lower():  # not every plan has them
                return self.open(branch, base, title, body)
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

    def describe(self, number: int, title: str, body: str) -> None:
        with self._errors():
            self._repository.get_pull(number).edit(title=title, body=body)

    def ready(self, number: int) -> None:
        with self._errors():
            self._repository.get_pull(number).mark_ready_for_review()

    def label(self, number: int, labels: Sequence[str]) -> None:
        with self._errors():
            self._repository.get_pull(number).add_to_labels(*labels)

    def remarks(self, number: int) -> tuple[Remark, ...]:
        with self._errors():
            pull = self._repository.get_pull(number)
            found = [_remark(one.user, one.body, one.created_at) for one in pull.get_issue_comments()]
            beside: dict[int, list[str]] = {}
            for one in pull.get_review_comments():
                beside.setdefault(one.pull_request_review_id, []).append(f"{one.path}: {one.body}")
            for review in pull.get_reviews():
                asks = review.state == "CHANGES_REQUESTED"
                text = "\n".join((review.body or "", *beside.get(review.id, ())))
                # A review that is not submitted yet has no time.
                if review.submitted_at and (asks or text.strip()):
                    found.append(_remark(review.user, text, review.submitted_at, asks))
            return tuple(sorted(found, key=lambda remark: remark.at))

    def remark(self, number: int, text: str) -> None:
        with self._errors():
            self._repository.get_pull(number).create_issue_comment(text)

    def changes(self, number: int) -> str:
        with self._errors():
            files = self._repository.get_pull(number).get_files()
            return "".join(f"--- {one.filename}\n{one.patch or '(not shown)'}\n" for one in files)

    def checks(self, sha: str) -> tuple[Check, ...]:
        with self._errors():
            commit = self._repository.get_commit(sha)
            statuses = commit.get_combined_status().statuses
            found = [
                Check(one.context, _STATUSES.get(one.state, Conclusion.PENDING), one.target_url or "")
                for one in statuses
            ]
            for run in commit.get_check_runs():
                conclusion = _CONCLUSIONS.get(run.conclusion or "", Conclusion.PENDING)
                said = "\n".join(filter(None, (run.output.title, run.output.summary, run.output.text)))
                actions = run.app is not None and run.app.slug == "github-actions"
                ref = str(run.id) if actions else ""
                found.append(Check(run.name, conclusion, run.html_url or "", ref, said))
            return tuple(found)

    def output(self, check: Check) -> str:
        import requests

        if not check.ref:
            return check.summary[-_PRINTED:]
        with self._errors():
            url = f"{self._app.forge_api.rstrip('/')}/repos/{self._app.slug}/actions/jobs/{check.ref}/logs"
            headers = {"Authorization": f"Bearer {self._token}"}
            asked: dict[str, Any] = {"allow_redirects": False, "verify": authorities(self._app) or True}
            answer = requests.get(url, headers=headers, timeout=_TIMEOUT_SECONDS, **asked)
            place = answer.headers.get("Location", "")
            # The storage that it leads to wants no token, and must not be given one.
            if answer.status_code != 302 or not place.startswith(("https://", self._app.forge_api)):
                return check.summary[-_PRINTED:]
            with requests.get(place, timeout=_TIMEOUT_SECONDS, stream=True, **asked) as printed:
                end = b""
                for chunk in printed.iter_content(1 << 16):
                    end = (end + chunk)[-_PRINTED:]
                return end.decode(errors="replace") if printed.status_code == 200 else ""

    def may_push(self, login: str) -> bool:
        with self._errors():
            return bool(login) and self._repository.get_collaborator_permission(login) in ("admin", "write")

    def owners(self, ref: str, paths: Sequence[str]) -> tuple[str, ...]:
        texts = (self._text(place, ref) for place in code_owners.GITHUB_PLACES)
        text = next((text for text in texts if text is not None), "")
        return code_owners.owners(code_owners.github_rules(text), paths)

    def _text(self, path: str, ref: str) -> str | None:
        with self._errors():
            found = _unless_missing(lambda: self._repository.get_contents(path, ref))
            if found is None or isinstance(found, list) or found.encoding != "base64":
                return None
            return found.decoded_content.decode(errors="replace")

    def last_authors(self, sha: str, path: str, lines: Collection[int]) -> tuple[str, ...]:
        owner, name = self._app.slug.split("/", 1)
        asked = {"owner": owner, "name": name, "sha": sha, "path": path}
        with self._errors():
            # REST has no blame.
            _, answer = self._repository.requester.graphql_query(_BLAME, asked)
        ranges = [
            one
            for one in answer["data"]["repository"]["object"]["blame"]["ranges"]
            if any(one["startingLine"] <= line <= one["endingLine"] for line in lines)
        ]
        ranges.sort(key=lambda one: str(one["commit"]["committedDate"]), reverse=True)
        users = [one["commit"]["author"]["user"] for one in ranges]
        return tuple(dict.fromkeys(user["login"] for user in users if user))

    def ask_reviewers(self, pull: PullRequest, names: Sequence[str]) -> tuple[str, ...]:
        try:
            with self._errors():
                self._repository.get_pull(pull.number).create_review_request(
                    reviewers=[name for name in names if "/" not in name],
                    team_reviewers=[name.rpartition("/")[2] for name in names if "/" in name],
                )
        except ForgeRefused:
            if len(names) == 1:
                return tuple(names)
            # One whom it does not accept is enough: then it asks nobody.
            return tuple(name for name in names if self.ask_reviewers(pull, [name]))
        return ()

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
            verify=authorities(self._app) or True,
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

        try:
            yield
        except RateLimitExceededException as error:
            raise ForgeUnavailable(
                f"{place(self._app)}: rate limit reached; the workflow tries again later"
            ) from error
        except GithubException as error:
            needs = "contents and pull requests, read and write"
            raise refusal(self._app, error.status, _said(error.data), needs) from error
        except requests.RequestException as error:
            raise unreachable(self._app, error) from error


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
    head, draft = pull.head, bool(pull.draft)
    return PullRequest(pull.number, pull.html_url, head.ref, pull.base.ref, head.sha, state, merged, draft)


def _remark(
    user: NamedUser | Organization | None, body: str | None, at: datetime, asks_changes: bool = False
) -> Remark:
    # Nobody is left of an account that was deleted.
    return Remark(user.login if user else "", body or "", at.astimezone(UTC).isoformat(), asks_changes)


def _said(data: object) -> str:
    """The words of a refusal."""
    if not isinstance(data, dict):
        return "no reason given"
    errors = [
        str(e.get("message") or e.get("field") or "") for e in data.get("errors") or [] if isinstance(e, dict)
    ]
    return f"{data.get('message', '')} {' '.join(errors)}"
