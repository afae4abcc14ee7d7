"""The subset of GitLab's REST API (v4) that a heal drives a merge request by.

The same repositories and pull requests as behind the other API, in GitLab's words: the title and the body of
its refusals, its states, and a project's path as one percent-encoded segment.
https://docs.gitlab.com/api/merge_requests/ and https://docs.gitlab.com/api/repositories/
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from werkzeug import Request, Response

from infra.local.forge.access import Caller
from infra.local.forge.pulls import PullRefused, Pulls
from infra.local.forge.store import Comment, Pull, Repository, Store

BASE_PATH = "/api/v4"

Json = dict[str, Any]
_STATES = {"open": "opened", "closed": "closed", "merged": "merged"}
_PROJECT = re.compile(rf"{BASE_PATH}/projects/([^/]+)(/.*)?")
_NAMED = re.compile(r"/repository/(branches|commits)/([^/]+)")
_NUMBER = re.compile(r"/merge_requests/(\d{1,9})")
_PART = re.compile(r"/merge_requests/(\d{1,9})/(notes|diffs)")
_STATUSES = re.compile(r"/repository/commits/([0-9a-f]{40})/statuses")
_FILE = re.compile(r"/repository/files/([^/]+)/(raw|blame)")
_TRACE = re.compile(r"/jobs/(\d{1,9})/trace")
_DRAFT = "Draft: "


class GitLabApi:
    """Answers every request below BASE_PATH."""

    def __init__(self, store: Store, pulls: Pulls) -> None:
        self._store = store
        self._pulls = pulls
        self._views: Mapping[tuple[str, str], Callable[[Request, Repository], Response]] = {
            ("GET", "/merge_requests"): self._list,
            ("POST", "/merge_requests"): self._open,
            ("GET", "/repository/merge_base"): self._merge_base,
            ("GET", "/repository/compare"): self._compare,
            ("GET", ""): self._project,
            ("GET", "/members/all"): self._members,
        }

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer one request; what GitLab would refuse becomes its error answer."""
        try:
            return self._dispatch(request, caller)
        except PullRefused as refused:
            said = [str(e["message"]) for e in refused.errors if "message" in e] or refused.message
            return as_json({"message": said}, status=refused.status)

    def _dispatch(self, request: Request, caller: Caller) -> Response:
        if caller is Caller.IMPOSTOR:
            raise PullRefused(401, "401 Unauthorized")
        # The path as it was sent: a decoded one could not tell the project's slashes from the others.
        sent = str(request.environ.get("RAW_URI") or request.path).partition("?")[0]
        if request.method == "GET" and sent == f"{BASE_PATH}/users":
            return self._users(request)
        found = _PROJECT.fullmatch(sent)
        if found is None:
            raise PullRefused(404, "404 Not Found")
        repository = self._repository(unquote(found[1]), caller)
        if caller is Caller.ANONYMOUS and request.method != "GET":
            raise PullRefused(401, "401 Unauthorized")
        path = found[2] or ""
        if named := _NAMED.fullmatch(path):
            return self._named(repository, named[1], unquote(named[2]))
        if part := _PART.fullmatch(path):
            return self._part(request, repository, int(part[1]), part[2])
        if commit := _STATUSES.fullmatch(path):
            return self._statuses(repository, commit[1])
        if job := _TRACE.fullmatch(path):
            return self._trace(repository, int(job[1]))
        if file := _FILE.fullmatch(path):
            return self._file(request, repository, unquote(file[1]), file[2])
        if number := _NUMBER.fullmatch(path):
            return self._one(request, repository, int(number[1]))
        view = self._views.get((request.method, path))
        if view is None:
            raise PullRefused(404, "404 Not Found")
        return view(request, repository)

    def _repository(self, name: str, caller: Caller) -> Repository:
        """By its path, or by the number that answers call it by."""
        slugs = (one.slug for one in self._store.all()) if name.isdecimal() else ()
        slug = next((slug for slug in slugs if str(_id(slug)) == name), name)
        try:
            repository = self._pulls.repository(slug)
        except PullRefused:
            raise PullRefused(404, "404 Project Not Found") from None
        if caller is Caller.ANONYMOUS and repository.private:
            raise PullRefused(404, "404 Project Not Found")
        return repository

    def _project(self, request: Request, repository: Repository) -> Response:
        access = {"project_access": {"access_level": 30, "notification_level": 3}, "group_access": None}
        return as_json(
            {
                "id": _id(repository.slug),
                "path_with_namespace": repository.slug,
                "archived": False,
                "permissions": access,
                "web_url": f"{request.host_url}{repository.slug}",
            }
        )

    def _members(self, request: Request, repository: Repository) -> Response:
        name = request.args.get("query", "")
        found = (repository.user_of(name), name)
        return as_json([_user(one) | {"access_level": 30} for one in repository.people if one in found])

    def _named(self, repository: Repository, kind: str, name: str) -> Response:
        git = self._store.git(repository.slug)
        sha = git.branch(name) if kind == "branches" else git.commit_named(name)
        if sha is None:
            raise PullRefused(404, f"404 {'Branch' if kind == 'branches' else 'Commit'} Not Found")
        commit = {"id": sha, "short_id": sha[:8]}
        return as_json(commit if kind == "commits" else {"name": name, "protected": False, "commit": commit})

    def _file(self, request: Request, repository: Repository, path: str, what: str) -> Response:
        git = self._store.git(repository.slug)
        sha = git.commit_named(request.args.get("ref", "main"))
        data = None if sha is None else git.content(sha, path)
        if sha is None or data is None:
            raise PullRefused(404, "404 File Not Found")
        if what == "raw":
            return Response(data, mimetype="text/plain")
        lines = data.decode(errors="replace").split("\n")
        return as_json(
            [
                {
                    "commit": {
                        "id": one.commit.sha,
                        "author_name": one.commit.author,
                        "author_email": one.mail,
                        "committed_date": one.commit.date,
                    },
                    "lines": lines[one.first - 1 : one.last],
                }
                for one in git.blame(sha, path)
            ]
        )

    def _users(self, request: Request) -> Response:
        name = request.args.get("username", "")
        people = {person for one in self._store.all() for person in (one.owner, *one.collaborators)}
        return as_json([_user(name)] if name in people else [])

    def _list(self, request: Request, repository: Repository) -> Response:
        asked = {key: request.args.get(key, "") for key in ("source_branch", "target_branch", "state")}
        chosen = [
            pull
            for pull in repository.pulls
            if asked["source_branch"] in ("", pull.head)
            and asked["target_branch"] in ("", pull.base)
            and asked["state"] in ("", "all", _STATES[pull.shown_state])
        ]
        if request.args.get("sort", "desc") == "desc":
            chosen.reverse()
        size = min(max(request.args.get("per_page", 20, type=int), 1), 100)
        return as_json([self._merge_request(request, repository, pull) for pull in chosen[:size]])

    def _open(self, request: Request, repository: Repository) -> Response:
        data = _body(request)
        head, base = str(data.get("source_branch", "")), str(data.get("target_branch", ""))
        for pull in repository.pulls:
            if (pull.state, pull.head, pull.base) == ("open", head, base):
                said = f"Another open merge request already exists for this source branch: !{pull.number}"
                raise PullRefused(409, said)
        title = str(data.get("title", ""))
        pull = self._pulls.open(
            repository.slug,
            title=title.removeprefix(_DRAFT),
            draft=title.startswith(_DRAFT),
            body=str(data.get("description") or ""),
            head=head,
            base=base,
            author=Caller.BOT.value,
        )
        return as_json(self._merge_request(request, repository, pull), status=201)

    def _one(self, request: Request, repository: Repository, number: int) -> Response:
        pull = repository.pull(number)
        if pull is None:
            raise PullRefused(404, "404 Not Found")
        if request.method == "PUT":
            pull = self._edited(repository, number, _body(request))
        elif request.method != "GET":
            raise PullRefused(405, "405 Method Not Allowed")
        return as_json(self._merge_request(request, repository, pull))

    def _edited(self, repository: Repository, number: int, data: Json) -> Pull:
        slug, title = repository.slug, data.get("title")
        if "reviewer_ids" in data:
            asked = data["reviewer_ids"]
            people = (*repository.collaborators, repository.owner)
            self._pulls.request_review(slug, number, [one for one in people if _user(one)["id"] in asked])
        if "add_labels" in data:
            self._pulls.add_labels(slug, number, str(data["add_labels"]).split(","))
        return self._pulls.edit(
            slug,
            number,
            title=None if title is None else str(title).removeprefix(_DRAFT),
            body=data.get("description"),
            draft=None if title is None else str(title).startswith(_DRAFT),
        )

    def _part(self, request: Request, repository: Repository, number: int, part: str) -> Response:
        pull = repository.pull(number)
        if pull is None:
            raise PullRefused(404, "404 Not Found")
        if part == "diffs":
            files = self._pulls.comparison(repository.slug, pull).files
            hunks = {one.path: "@@" + one.patch.partition("\n@@")[2] for one in files}
            return as_json(
                [{"old_path": path, "new_path": path, "diff": text} for path, text in hunks.items()]
            )
        if request.method == "POST":
            body = str(_body(request).get("body", ""))
            return as_json(_note(self._pulls.comment(repository.slug, number, body, Caller.BOT.value)), 201)
        notes = [_note(one) for one in pull.comments]
        # A review that asks for changes leaves a note of the system's own.
        notes += [
            {**_note(one), "id": -one.number, "body": "requested changes", "system": True}
            for one in pull.comments
            if one.changes_requested
        ]
        return as_json(notes)

    def _statuses(self, repository: Repository, sha: str) -> Response:
        """None: no jobs run here."""
        return as_json([])

    def _trace(self, repository: Repository, number: int) -> Response:
        raise PullRefused(404, "404 Not Found")

    def _merge_base(self, request: Request, repository: Repository) -> Response:
        git = self._store.git(repository.slug)
        names = request.args.getlist("refs[]")
        commits = [git.commit_named(name) for name in names]
        missing = [name for name, sha in zip(names, commits, strict=True) if sha is None]
        if missing or len(commits) < 2:
            raise PullRefused(400, f"Could not find ref: {', '.join(missing)}")
        base = git.merge_base(str(commits[0]), str(commits[1]))
        if base is None:
            raise PullRefused(404, "404 Merge Base Not Found")
        return as_json({"id": base, "short_id": base[:8]})

    def _compare(self, request: Request, repository: Repository) -> Response:
        git = self._store.git(repository.slug)
        ends = [git.commit_named(request.args.get(key, "")) for key in ("from", "to")]
        if None in ends:
            raise PullRefused(404, "404 Not Found")
        commits = git.commits(str(ends[1]), without=str(ends[0]))
        rows = [{"id": one.sha, "title": one.subject, "created_at": one.date} for one in reversed(commits)]
        return as_json({"commit": rows[-1] if rows else None, "commits": rows, "compare_same_ref": not rows})

    def _merge_request(self, request: Request, repository: Repository, pull: Pull) -> Json:
        page = f"{request.host_url}{repository.slug}/-/merge_requests/{pull.number}"
        return {
            "id": pull.number,
            "iid": pull.number,
            "title": (_DRAFT if pull.draft else "") + pull.title,
            "description": pull.body,
            "labels": list(pull.labels),
            "state": _STATES[pull.shown_state],
            "source_branch": pull.head,
            "target_branch": pull.base,
            "sha": pull.head_sha,
            "merge_commit_sha": pull.merge_commit_sha or None,
            "squash_commit_sha": None,
            "web_url": page,
            "author": _user(pull.author),
            "reviewers": [_user(name) for name in pull.reviewers],
            "draft": pull.draft,
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
        }


def is_api(request: Request) -> bool:
    return request.path.startswith(f"{BASE_PATH}/")


def _id(name: str) -> int:
    # GitLab's ids are numbers; ours only have to be steady.
    return zlib.crc32(name.encode())


def _note(comment: Comment) -> Json:
    return {
        "id": comment.number,
        "body": comment.body,
        "author": _user(comment.author),
        "created_at": comment.created_at,
        "system": False,
    }


def _user(name: str) -> Json:
    return {"id": _id(name), "username": name, "name": name}


def _body(request: Request) -> Json:
    try:
        data = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise PullRefused(400, "400 Bad Request") from None
    if not isinstance(data, dict):
        raise PullRefused(400, "400 Bad Request")
    return data


def as_json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, content_type="application/json")
