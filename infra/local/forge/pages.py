"""Web pages: repositories, commits, files and pull requests, for the person at this machine.

They need no login, because the forge listens on the loopback interface only and refuses foreign host names
(see server.py). Merging and closing need a form that one of these pages made: same origin, and a token that
other sites cannot read.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect

from functions.core.untrusted.hidden import spelled_out
from functions.decide_approval import diff, highlight
from infra.local.forge.git import DEFAULT_BRANCH, ChangedFile
from infra.local.forge.markup import markdown
from infra.local.forge.pulls import PullRefused, Pulls
from infra.local.forge.store import VISITOR, Repository, Store

_HERE = Path(__file__).parent
_MAX_FILES = 1_000
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: a browser would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Pages:
    """Answers every request that is neither git nor REST. key: secret that forms are marked with."""

    def __init__(self, store: Store, pulls: Pulls, key: str) -> None:
        self._store = store
        self._pulls = pulls
        # Derived, so that a page that was open while the forge restarted still works.
        self._key = hashlib.sha256(b"forge pages\0" + key.encode()).digest()
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"markdown": markdown, "visible": spelled_out}
        repository = "/<owner>/<name>"
        self._map = Map(
            [
                Rule("/", methods=["GET"], endpoint="home"),
                Rule("/static/forge.css", methods=["GET"], endpoint="style"),
                Rule(repository, methods=["GET"], endpoint="repository"),
                Rule(f"{repository}/commit/<sha>", methods=["GET"], endpoint="commit"),
                Rule(f"{repository}/blob/<sha>/<path:path>", methods=["GET"], endpoint="file"),
                Rule(f"{repository}/pull/<int:number>", methods=["GET"], endpoint="pull"),
                Rule(f"{repository}/-/merge_requests/<int:number>", methods=["GET"], endpoint="pull"),
                Rule(
                    f"{repository}/pull/<int:number>/<any(merge,close,comment,ready):action>",
                    methods=["POST"],
                    endpoint="decide",
                ),
            ],
            merge_slashes=False,
        )

    def answer(self, request: Request) -> Response:
        """Answer one request; problems become pages too."""
        try:
            endpoint, values = self._map.bind_to_environ(request.environ).match()
            response = self._view(request, endpoint, dict(values))
        except PullRefused as refused:
            response = self._problem(refused.status, refused.message)
        except MethodNotAllowed:
            response = self._problem(405, "Method Not Allowed")
        except HTTPException as problem:
            response = self._problem(problem.code or 400, problem.name)
        response.headers.update(_HEADERS)
        return response

    def _view(self, request: Request, endpoint: str, values: dict[str, Any]) -> Response:
        if endpoint == "style":
            return Response((_HERE / "static" / "forge.css").read_bytes(), mimetype="text/css")
        if endpoint == "home":
            return self._page(
                "home.html", repositories=[self._pulls.repository(r.slug) for r in self._store.all()]
            )
        repository = self._pulls.repository(f"{values.pop('owner')}/{values.pop('name')}")
        match endpoint:
            case "repository":
                return self._repository(request, repository)
            case "commit":
                return self._commit(repository, **values)
            case "file":
                return self._file(repository, **values)
            case "pull":
                return self._pull(repository, **values)
            case _:
                return self._decide(request, repository, **values)

    def _repository(self, request: Request, repository: Repository) -> Response:
        git = self._store.git(repository.slug)
        branches = git.branches()
        head = branches.get(DEFAULT_BRANCH, "")
        files = git.files(head) if head else ()
        return self._page(
            "repository.html",
            repository=repository,
            clone_url=f"{request.host_url}{repository.slug}.git",
            branches=branches,
            head=head,
            files=files[:_MAX_FILES],
            more_files=max(len(files) - _MAX_FILES, 0),
            commits=git.commits(head, limit=20) if head else (),
        )

    def _commit(self, repository: Repository, sha: str) -> Response:
        git = self._store.git(repository.slug)
        if not git.is_commit(sha):
            raise NotFound
        changes = _shown(git.diff(git.parent(sha), sha))
        commit = git.commits(sha, limit=1)[0]
        return self._page("commit.html", repository=repository, commit=commit, files=changes)

    def _file(self, repository: Repository, sha: str, path: str) -> Response:
        git = self._store.git(repository.slug)
        content = git.content(sha, path) if git.is_commit(sha) else None
        if content is None:
            raise NotFound
        binary = b"\0" in content
        text = "" if binary else content.decode("utf-8", errors="replace").removesuffix("\n")
        lines = () if binary else highlight.lines(spelled_out(text), path)
        return self._page("file.html", repository=repository, sha=sha, path=path, lines=lines, binary=binary)

    def _pull(self, repository: Repository, number: int) -> Response:
        pull = self._pulls.get(repository.slug, number)
        comparison = self._pulls.comparison(repository.slug, pull)
        return self._page(
            "pull.html",
            repository=repository,
            pull=pull,
            commits=comparison.commits,
            files=_shown(comparison.files),
            mergeable=self._pulls.mergeable(repository.slug, pull),
            form_token=self._form_token(repository.slug, number),
        )

    def _decide(self, request: Request, repository: Repository, number: int, action: str) -> Response:
        same_origin = request.headers.get("Origin") == request.host_url.rstrip("/")
        expected, given = self._form_token(repository.slug, number), request.form.get("token", "")
        if not same_origin or not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
            raise PullRefused(
                403, "This form did not come from a page of this forge. Reload the page and try again."
            )
        # What somebody typed is said, whichever button they press: whoever looks next finds it there.
        if action == "comment" or request.form.get("body", "").strip():
            self._pulls.comment(repository.slug, number, request.form.get("body", ""), VISITOR)
        if action == "merge":
            self._pulls.merge(
                repository.slug, number, by=VISITOR, head_sha=request.form.get("head_sha", "") or "-"
            )
        elif action == "ready":
            self._pulls.edit(repository.slug, number, draft=False)
        elif action == "close":
            self._pulls.edit(repository.slug, number, state="closed")
        return redirect(f"/{repository.slug}/pull/{number}", code=303, Response=Response)

    def _form_token(self, slug: str, number: int) -> str:
        return hmac.new(self._key, f"{slug}#{number}".encode(), hashlib.sha256).hexdigest()

    def _problem(self, status: int, message: str) -> Response:
        return self._page("problem.html", status=status, message=message)

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(status=status, **values)
        return Response(html, status=status, mimetype="text/html")


def _shown(files: Sequence[ChangedFile]) -> list[tuple[ChangedFile, diff.FileDiff]]:
    """Each changed file with the rows of its patch."""
    return [(file, diff.parse(file.patch)[0]) for file in files]
