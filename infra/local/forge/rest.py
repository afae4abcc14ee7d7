"""The subset of GitHub's REST API that PyGithub uses to look at a repository and to drive a pull request.

Base path `/api/v3`, as on GitHub Enterprise. Answers, refusals included, have the shapes and status codes of
https://docs.github.com/rest, so that a client cannot tell the difference.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from infra.local.forge.access import Caller
from infra.local.forge.answers import BASE_PATH, answer, body, shapes, text, texts
from infra.local.forge.git import DEFAULT_BRANCH
from infra.local.forge.graphql import GraphQL
from infra.local.forge.pulls import PullRefused, Pulls
from infra.local.forge.shapes import Json
from infra.local.forge.store import Pull, Repository, Store

GRAPHQL_PATH = "/api/graphql"

_DOCS = "https://docs.github.com/rest"
_MAX_JSON = 1024 * 1024  # bytes; a pull request with the longest allowed body is well below
_MAX_PAGE = 100  # GitHub's limit for `per_page`
_Item = TypeVar("_Item")


class Rest:
    """Answers every request below BASE_PATH."""

    def __init__(self, store: Store, pulls: Pulls) -> None:
        self._store = store
        self._pulls = pulls
        self._graphql = GraphQL(store, pulls)
        self._views = self._routes()
        self._map = Map(merge_slashes=False)
        self._map.add(Rule(f"{BASE_PATH}/user", methods=["GET"], endpoint=""))
        for key in self._views:
            method, _, path = key.partition(" ")
            self._map.add(Rule(BASE_PATH + path, methods=[method], endpoint=key))

    def _routes(self) -> dict[str, Callable[..., Response]]:
        repository, pull, issue = "/repos/<owner>/<name>", "/pulls/<int:number>", "/issues/<int:number>"
        return {
            f"GET {repository}": self._repository,
            f"GET {repository}/branches/<path:branch>": self._branch,
            f"GET {repository}/commits/<path:ref>": self._commit,
            f"GET {repository}/commits/<ref>/check-runs": self._check_runs,
            f"GET {repository}/commits/<ref>/status": self._status,
            f"GET {repository}/contents/<path:path>": self._contents,
            f"GET {repository}/collaborators/<user>": self._collaborator,
            f"GET {repository}/collaborators/<user>/permission": self._permission,
            f"GET {repository}/compare/<path:ends>": self._compare,
            f"GET {repository}/pulls": self._list,
            f"POST {repository}/pulls": self._open,
            f"GET {repository}{pull}": self._get,
            f"PATCH {repository}{pull}": self._edit,
            f"POST {repository}{pull}/requested_reviewers": self._request_review,
            f"GET {repository}{pull}/files": self._files,
            f"GET {repository}{pull}/reviews": self._reviews,
            f"GET {repository}{pull}/comments": self._inline,
            f"POST {repository}{issue}/labels": self._add_labels,
            f"GET {repository}{issue}/comments": self._comments,
            f"POST {repository}{issue}/comments": self._comment,
        }

    def answer(self, request: Request, caller: Caller) -> Response:
        """Answer one request; what GitHub would refuse becomes its error answer."""
        try:
            response = self._dispatch(request, caller)
        except PullRefused as refused:
            response = error(refused.status, refused.message, refused.errors)
        except HTTPException as problem:
            response = error(problem.code or 400, problem.name)
        return response

    def _dispatch(self, request: Request, caller: Caller) -> Response:
        if caller is Caller.IMPOSTOR:
            raise PullRefused(401, "Bad credentials")
        if request.path == GRAPHQL_PATH:
            return self._graphql.answer(request, caller)
        try:
            endpoint, found = self._map.bind_to_environ(request.environ).match()
        except MethodNotAllowed:
            raise PullRefused(404, "Not Found") from None
        if not endpoint:
            if caller is Caller.ANONYMOUS:
                raise PullRefused(401, "Requires authentication")
            return answer(shapes(request).user(Caller.BOT.value))
        values = dict(found)
        repository = self._pulls.repository(f"{values.pop('owner')}/{values.pop('name')}")
        if caller is Caller.ANONYMOUS and repository.private:
            raise PullRefused(404, "Not Found")
        if caller is Caller.ANONYMOUS and request.method not in ("GET", "HEAD"):
            raise PullRefused(401, "Requires authentication")
        return self._views[endpoint](request, repository, **values)

    # Repository

    def _repository(self, request: Request, repository: Repository) -> Response:
        return answer(shapes(request).repository(repository))

    def _branch(self, request: Request, repository: Repository, branch: str) -> Response:
        git = self._store.git(repository.slug)
        sha = git.branch(branch)
        if sha is None:
            raise PullRefused(404, "Branch not found")
        return answer(shapes(request).branch(repository, branch, git.commits(sha, limit=1)[0]))

    def _commit(self, request: Request, repository: Repository, ref: str) -> Response:
        git = self._store.git(repository.slug)
        sha = git.branch(ref) or (ref if git.is_commit(ref) else None)
        if sha is None:
            raise PullRefused(422, f"No commit found for SHA: {ref}")
        return answer(shapes(request).commit(repository, git.commits(sha, limit=1)[0]))

    def _contents(self, request: Request, repository: Repository, path: str) -> Response:
        git = self._store.git(repository.slug)
        sha = git.commit_named(request.args.get("ref", DEFAULT_BRANCH))
        data = None if sha is None else git.content(sha, path)
        if data is None:
            raise PullRefused(404, "Not Found")
        return answer(
            {
                "type": "file",
                "path": path,
                "size": len(data),
                "encoding": "base64",
                "content": base64.b64encode(data).decode(),
            }
        )

    def _check_runs(self, request: Request, repository: Repository, ref: str) -> Response:
        """None: no jobs run here."""
        return answer({"total_count": 0, "check_runs": []})

    def _status(self, request: Request, repository: Repository, ref: str) -> Response:
        return answer({"state": "pending", "sha": ref, "total_count": 0, "statuses": []})

    def _collaborator(self, request: Request, repository: Repository, user: str) -> Response:
        if user not in repository.collaborators:
            raise PullRefused(404, "Not Found")
        return Response(status=204)

    def _compare(self, request: Request, repository: Repository, ends: str) -> Response:
        git = self._store.git(repository.slug)
        one, dots, other = ends.partition("...")
        old, new = git.commit_named(one), git.commit_named(other)
        if not dots or old is None or new is None:
            raise PullRefused(404, "Not Found")
        base = git.merge_base(old, new)
        if base is None:
            raise PullRefused(404, f"No common ancestor between {one} and {other}.")
        ahead, behind = git.commits(new, without=old), git.commits(old, without=new)
        return answer(shapes(request).comparison(repository, git.commits(base, limit=1)[0], ahead, behind))

    def _permission(self, request: Request, repository: Repository, user: str) -> Response:
        permission = "write" if user in repository.people else "read"
        return answer({"permission": permission, "user": shapes(request).user(user)})

    # Pull requests

    def _files(self, request: Request, repository: Repository, number: int) -> Response:
        comparison = self._pulls.comparison(repository.slug, pull_of(repository, number))
        status = {"A": "added", "M": "modified", "D": "removed", "T": "changed"}
        files = [
            {
                "filename": one.path,
                "status": status[one.status],
                "patch": "@@" + one.patch.partition("\n@@")[2].removesuffix("\n"),
            }
            for one in comparison.files
        ]
        return _page(request, files, lambda one: one)

    def _reviews(self, request: Request, repository: Repository, number: int) -> Response:
        pull = pull_of(repository, number)
        reviews = [one for one in pull.comments if one.changes_requested]
        return _page(request, reviews, lambda one: shapes(request).review(repository, pull, one))

    def _inline(self, request: Request, repository: Repository, number: int) -> Response:
        pull_of(repository, number)
        return answer([])

    def _list(self, request: Request, repository: Repository) -> Response:
        state = request.args.get("state", "open")
        head, base = request.args.get("head", ""), request.args.get("base", "")
        owner, _, branch = head.partition(":")
        chosen = [
            pull
            for pull in repository.pulls
            if state in ("all", pull.state)
            and (not head or (owner, branch) == (repository.owner, pull.head))
            and (not base or base == pull.base)
        ]
        if request.args.get("direction", "desc") == "desc":
            chosen.reverse()
        return _page(request, chosen, lambda pull: shapes(request).pull(repository, pull))

    def _open(self, request: Request, repository: Repository) -> Response:
        data = body(request)
        pull = self._pulls.open(
            repository.slug,
            title=text(data, "title"),
            body=text(data, "body"),
            head=text(data, "head"),
            base=text(data, "base"),
            author=Caller.BOT.value,
            draft=data.get("draft") is True,
        )
        response = self._pull(request, repository, pull, status=201)
        response.headers["Location"] = shapes(request).pull(repository, pull)["url"]
        return response

    def _get(self, request: Request, repository: Repository, number: int) -> Response:
        return self._pull(request, repository, pull_of(repository, number))

    def _edit(self, request: Request, repository: Repository, number: int) -> Response:
        data = body(request)
        given: Json = {key: text(data, key) for key in ("title", "body", "state") if key in data}
        return self._pull(request, repository, self._pulls.edit(repository.slug, number, **given))

    def _request_review(self, request: Request, repository: Repository, number: int) -> Response:
        asked = body(request)
        teams = (f"{repository.owner}/{team}" for team in texts(asked, "team_reviewers"))
        names = (*texts(asked, "reviewers"), *teams)
        return self._pull(
            request, repository, self._pulls.request_review(repository.slug, number, names), status=201
        )

    # What pull requests share with issues

    def _add_labels(self, request: Request, repository: Repository, number: int) -> Response:
        pull = self._pulls.add_labels(repository.slug, number, texts(body(request), "labels"))
        return answer([shapes(request).label(repository, name) for name in pull.labels])

    def _comments(self, request: Request, repository: Repository, number: int) -> Response:
        pull = pull_of(repository, number)
        comments = [one for one in pull.comments if not one.changes_requested]
        return _page(request, comments, lambda one: shapes(request).comment(repository, pull, one))

    def _comment(self, request: Request, repository: Repository, number: int) -> Response:
        said = text(body(request), "body")
        comment = self._pulls.comment(repository.slug, number, said, Caller.BOT.value)
        return answer(shapes(request).comment(repository, pull_of(repository, number), comment), status=201)

    def _pull(self, request: Request, repository: Repository, pull: Pull, status: int = 200) -> Response:
        mergeable = self._pulls.mergeable(repository.slug, pull) if pull.state == "open" else None
        return answer(shapes(request).pull(repository, pull, mergeable), status=status)


def is_api(request: Request) -> bool:
    return request.path.startswith(f"{BASE_PATH}/") or request.path == GRAPHQL_PATH


def error(status: int, message: str, errors: Sequence[Mapping[str, str]] = ()) -> Response:
    """A refusal in GitHub's shape."""
    body: Json = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    return answer(body | ({"errors": list(errors)} if errors else {}), status=status)


def _page(request: Request, items: Sequence[_Item], shape: Callable[[_Item], Json]) -> Response:
    """The page that the query asks for, with GitHub's `Link` header to the others."""
    size = min(max(request.args.get("per_page", 30, type=int), 1), _MAX_PAGE)
    last = max(-(-len(items) // size), 1)
    page = max(request.args.get("page", 1, type=int), 1)
    response = answer([shape(item) for item in items[(page - 1) * size : page * size]])
    others = {"prev": page - 1, "first": 1} if page > 1 else {}
    others |= {"next": page + 1, "last": last} if page < last else {}
    links = (
        f'<{request.base_url}?{urlencode(request.args.to_dict() | {"page": number})}>; rel="{relation}"'
        for relation, number in others.items()
    )
    if others:
        response.headers["Link"] = ", ".join(links)
    return response


def pull_of(repository: Repository, number: int) -> Pull:
    pull = repository.pull(number)
    if pull is None:
        raise PullRefused(404, "Not Found")
    return pull
