"""GitLab, on gitlab.com or self-managed, through python-gitlab.

What it calls a merge request is a pull request here; its numbers are those within the project.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from functions.core.forge import code_owners
from functions.core.forge.port import Check, Comparison, Conclusion, PullRequest, Remark, State, Survey
from functions.core.forge.refusals import place, refusal, unreachable
from functions.core.forge.trust import authorities
from functions.core.workflow.errors import ForgeRefused, RepositoryNotFound

if TYPE_CHECKING:
    from gitlab.v4.objects import Project

    from functions.core.apps.app import App

API_PATH = "/api/v4"
_TIMEOUT_SECONDS = 20
_PAGE = re.compile(r"/-/merge_requests/([0-9]{1,9})$")
# https://docs.gitlab.com/api/access_requests/, "Valid access levels"
_DEVELOPER, _MAINTAINER = 30, 40
_DRAFT = "Draft: "
_PRINTED = 6_000
"""Bytes of a job's output, from its end."""
_CHANGES = "requested changes"
"""How the note begins that GitLab writes of a review that asks for changes."""
_UNKNOWN = Conclusion.PENDING
# https://docs.gitlab.com/api/commits/, "Commit status"
_CONCLUSIONS = {
    "success": Conclusion.PASSED,
    "skipped": Conclusion.PASSED,
    "failed": Conclusion.FAILED,
}
# A merge request is `locked` while GitLab merges it.
_STATES = {"opened": State.OPEN, "locked": State.OPEN, "merged": State.MERGED, "closed": State.CLOSED}


class GitLab:
    """One project of GitLab's (see `port.Forge`)."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token

    def find(self, branch: str, base: str) -> PullRequest | None:
        with self._errors():
            found = self._project.mergerequests.list(
                source_branch=branch,
                target_branch=base,
                state="all",
                order_by="created_at",
                sort="desc",
                per_page=1,
                get_all=False,
            )
            return next((_pull(one.attributes) for one in found), None)

    def open(self, branch: str, base: str, title: str, body: str, draft: bool = False) -> PullRequest:
        title = _DRAFT + title if draft else title
        asked = {"source_branch": branch, "target_branch": base, "title": title, "description": body}
        try:
            with self._errors():
                return _pull(self._project.mergerequests.create(asked).attributes)
        except ForgeRefused:
            # That is also the answer where another run opened it between the caller's look and this request.
            found = self.find(branch, base)
            if found is None or found.state is not State.OPEN:
                raise
            return found

    def get(self, number: int) -> PullRequest:
        with self._errors():
            return _pull(self._project.mergerequests.get(number).attributes)

    def number(self, url: str) -> int | None:
        found = _PAGE.search(url)
        return int(found[1]) if found else None

    def describe(self, number: int, title: str, body: str) -> None:
        with self._errors():
            draft = self._project.mergerequests.get(number).attributes["draft"]
            told = {"title": (_DRAFT if draft else "") + title, "description": body}
            self._project.mergerequests.update(number, told)

    def ready(self, number: int) -> None:
        with self._errors():
            title = self._project.mergerequests.get(number).attributes["title"]
            self._project.mergerequests.update(number, {"title": title.removeprefix(_DRAFT)})

    def label(self, number: int, labels: Sequence[str]) -> None:
        with self._errors():
            self._project.mergerequests.update(number, {"add_labels": ",".join(labels)})

    def remarks(self, number: int) -> tuple[Remark, ...]:
        with self._errors():
            notes = self._merge_request(number).notes.list(iterator=True)
            found = [
                Remark(
                    one.author["username"],
                    "" if one.system else one.body,
                    _utc(one.created_at),
                    one.system and one.body.startswith(_CHANGES),
                )
                for one in notes
                if not one.system or one.body.startswith(_CHANGES)
            ]
            return tuple(sorted(found, key=lambda remark: (remark.at, remark.asks_changes)))

    def remark(self, number: int, text: str) -> None:
        with self._errors():
            self._merge_request(number).notes.create({"body": text})

    def changes(self, number: int) -> str:
        with self._errors():
            # The library has this part of API v4 under no name.
            place = f"/projects/{self._project.encoded_id}/merge_requests/{number}/diffs"
            files = self._client.http_list(place, iterator=True)
            return "".join(f"--- {one['new_path']}\n{one['diff'] or '(not shown)'}\n" for one in files)

    def checks(self, sha: str) -> tuple[Check, ...]:
        with self._errors():
            commit: Any = self._project.commits.get(sha, lazy=True)
            return tuple(
                Check(
                    one.name,
                    Conclusion.PASSED if one.allow_failure else _CONCLUSIONS.get(one.status, _UNKNOWN),
                    one.target_url or "",
                    str(one.id),
                    one.description or "",
                )
                for one in commit.statuses.list(iterator=True)
            )

    def output(self, check: Check) -> str:
        with self._errors():
            job: Any = self._project.jobs.get(int(check.ref), lazy=True)
            # What another service said of the commit is no job of GitLab's.
            printed = _unless_missing(job.trace)
            return printed[-_PRINTED:].decode(errors="replace") if printed else check.summary

    def may_push(self, login: str) -> bool:
        with self._errors():
            found: Any = self._project.members_all.list(query=login, get_all=False)
            return any(one.username == login and one.access_level >= _DEVELOPER for one in found)

    def _merge_request(self, number: int) -> Any:
        return self._project.mergerequests.get(number, lazy=True)

    def owners(self, ref: str, paths: Sequence[str]) -> tuple[str, ...]:
        texts = (self._text(place, ref) for place in code_owners.GITLAB_PLACES)
        text = next((text for text in texts if text is not None), "")
        return code_owners.owners(code_owners.gitlab_rules(text), paths)

    def _text(self, path: str, ref: str) -> str | None:
        with self._errors():
            found = _unless_missing(lambda: self._project.files.raw(path, ref))
            return None if found is None else bytes(found).decode(errors="replace")

    def last_authors(self, sha: str, path: str, lines: Collection[int]) -> tuple[str, ...]:
        with self._errors():
            blamed: Any = self._project.files.blame(path, sha, get_all=True)
            commits, line = [], 1
            for one in blamed:
                after = line + len(one["lines"])
                if any(line <= number < after for number in lines):
                    commits.append(one["commit"])
                line = after
            commits.sort(key=lambda commit: datetime.fromisoformat(commit["committed_date"]), reverse=True)
            who = dict.fromkeys((one["author_email"], one["author_name"]) for one in commits)
            return tuple(dict.fromkeys(filter(None, (self._member(*one) for one in who))))

    def _member(self, mail: str, name: str) -> str:
        """The user behind an author, "" for none: who has that address, else the only one of that name."""
        members = self._project.members_all
        found: Any = members.list(query=mail, get_all=False)
        if len(found) != 1:
            found = [one for one in members.list(query=name, get_all=False) if one.name == name]
        return str(found[0].username) if len(found) == 1 else ""

    def ask_reviewers(self, pull: PullRequest, names: Sequence[str]) -> tuple[str, ...]:
        with self._errors():
            found = {name: self._client.users.list(username=name, get_all=False) for name in names}
            asked: Any = self._project.mergerequests.get(pull.number).attributes.get("reviewers") or ()
            ids = [one["id"] for one in asked] + [users[0].id for users in found.values() if users]
            self._project.mergerequests.update(pull.number, {"reviewer_ids": list(dict.fromkeys(ids))})
            return tuple(name for name, users in found.items() if not users)

    def compare(self, one: str, other: str) -> Comparison:
        from gitlab.exceptions import GitlabError

        with self._errors():
            try:
                base: Any = self._project.repository_merge_base([one, other])
            except GitlabError as error:
                if error.response_code == 400:  # "Could not find ref"
                    raise RepositoryNotFound(f"{self._app.slug}: {error.error_message}") from error
                raise
            # From where they part: what the other one has, and this one lacks.
            found: Any = self._project.repository_compare(one, other)
            return Comparison(base["id"], len(found["commits"]))

    def survey(self, branch: str, revision: str, people: Sequence[str]) -> Survey:
        with self._errors():
            project: Any = self._client.projects.get(self._app.slug)
            granted = (project.permissions or {}).values()
            level = max((one["access_level"] for one in granted if one), default=0)
            found: Any = _unless_missing(lambda: project.branches.get(branch))
            members = {name for name in people if project.members_all.list(query=name, get_all=False)}
            return Survey(
                may_push=level >= _DEVELOPER,
                administers=level >= _MAINTAINER,
                archived=bool(project.archived),
                kilobytes=getattr(project, "statistics", {}).get("repository_size", 0) // 1024,
                has_branch=found is not None,
                protected=bool(found and found.protected),
                has_revision=_unless_missing(lambda: project.commits.get(revision)) is not None,
                strangers=tuple(name for name in people if name not in members),
            )

    @cached_property
    def _client(self) -> Any:
        from gitlab import Gitlab

        class AsksOnce(Gitlab):
            """Retrying is the workflow's business, where it is visible: told to come later (429), the library
            would sleep up to 102 seconds, or as long as the answer says."""

            def http_request(self, *given: Any, **options: Any) -> Any:
                return super().http_request(*given, **options | {"obey_rate_limit": False})

        # The library itself refuses redirects.
        return AsksOnce(
            self._app.forge_api.removesuffix(API_PATH),
            private_token=self._token or None,
            timeout=_TIMEOUT_SECONDS,
            ssl_verify=authorities(self._app) or True,
            retry_transient_errors=False,
        )

    @cached_property
    def _project(self) -> Project:
        project: Project = self._client.projects.get(self._app.slug, lazy=True)
        return project

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import requests
        from gitlab.exceptions import GitlabError, RedirectError

        try:
            yield
        except RedirectError as error:
            raise RepositoryNotFound(f"{place(self._app)}: has moved; check the app's repository") from error
        except GitlabError as error:
            said, needs = str(error.error_message), "scope api, role Developer"
            raise refusal(self._app, error.response_code or 0, said, needs) from error
        except requests.RequestException as error:
            raise unreachable(self._app, error) from error


def _unless_missing(ask: Callable[[], Any]) -> Any:
    from gitlab.exceptions import GitlabError

    try:
        return ask()
    except GitlabError as error:
        if error.response_code == 404:
            return None
        raise


def _pull(found: dict[str, Any]) -> PullRequest:
    state = _STATES[found["state"]]
    # A fast-forward leaves neither a merge nor a squash commit: the branch's own head is what was merged.
    merged = found.get("merge_commit_sha") or found.get("squash_commit_sha") or found["sha"]
    return PullRequest(
        number=found["iid"],
        url=found["web_url"],
        branch=found["source_branch"],
        base=found["target_branch"],
        head_sha=found["sha"],
        state=state,
        merge_sha=merged if state is State.MERGED else "",
        draft=bool(found.get("draft")),
    )


def _utc(time: str) -> str:
    return datetime.fromisoformat(time).astimezone(UTC).isoformat()
