"""What GitHub has and the embedded forge needs not: what jobs say and print, merging by API, and Apps.

https://docs.github.com/rest/checks/runs, https://docs.github.com/rest/actions/workflow-jobs and
https://docs.github.com/rest/apps/apps
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
from werkzeug import Request, Response
from werkzeug.utils import redirect

from infra.local.forge.access import Caller
from infra.local.forge.answers import BASE_PATH, answer, body, shapes, text, texts
from infra.local.forge.pulls import PullRefused, Pulls, invalid
from infra.local.forge.rest import Rest, pull_of
from infra.local.forge.shapes import Json
from infra.local.forge.store import Repository, Store

_LOG = f"{BASE_PATH}/log/"
"""Stands for the storage to which GitHub sends whoever wants a job's log; its addresses are signed."""
_MINT = re.compile(rf"{BASE_PATH}/app/installations/(\d+)/access_tokens")


@dataclass(frozen=True)
class Check:
    """What a job said of a commit; number: counts from 1; conclusion: GitHub's word, "" while it runs."""

    number: int
    sha: str
    name: str
    conclusion: str
    output: str


@dataclass
class Checks:
    """What jobs said, by repository."""

    _said: dict[str, list[Check]] = field(default_factory=lambda: defaultdict(list))

    def add(self, slug: str, sha: str, name: str, conclusion: str, output: str) -> None:
        self._said[slug].append(Check(len(self._said[slug]) + 1, sha, name, conclusion, output))

    def of(self, slug: str, sha: str) -> tuple[Check, ...]:
        """Of each job the last word on a commit."""
        return tuple({one.name: one for one in self._said[slug] if one.sha == sha}.values())

    def find(self, slug: str, number: int) -> Check | None:
        return next((one for one in self._said[slug] if one.number == number), None)


@dataclass(frozen=True, slots=True)
class RegisteredApp:
    """A GitHub App that is known here. public_key: PEM."""

    app_id: int
    public_key: str

    def proves(self, proof: str) -> bool:
        """Whether a JSON web token was made with the App's key, for ten minutes at most, as GitHub asks."""
        try:
            claims = jwt.decode(proof, self.public_key, algorithms=["RS256"], issuer=str(self.app_id))
        except jwt.InvalidTokenError:
            return False
        return int(claims["exp"]) - int(claims["iat"]) <= 600


class GitHubApi(Rest):
    """The forge's own API, and these."""

    def __init__(self, store: Store, pulls: Pulls, checks: Checks, token: str) -> None:
        super().__init__(store, pulls)
        self._checks = checks
        self._token = token
        self.apps: dict[int, RegisteredApp] = {}
        """By the number of their installation."""

    def _routes(self) -> dict[str, Callable[..., Response]]:
        repository = "/repos/<owner>/<name>"
        return super()._routes() | {
            f"GET {repository}/commits/<ref>/check-runs": self._check_runs,
            f"GET {repository}/actions/jobs/<int:number>/logs": self._logs,
            f"GET {repository}/pulls/<int:number>/merge": self._is_merged,
            f"PUT {repository}/pulls/<int:number>/merge": self._merge,
        }

    def _dispatch(self, request: Request, caller: Caller) -> Response:
        if request.path.startswith(_LOG):
            return self._log(request)
        # An App proves itself by its key, and has no token yet.
        if request.method == "POST" and (minted := _MINT.fullmatch(request.path)):
            return self._mint(request, int(minted[1]))
        return super()._dispatch(request, caller)

    def _is_merged(self, _request: Request, repository: Repository, number: int) -> Response:
        if not pull_of(repository, number).merged_at:
            raise PullRefused(404, "Not Found")
        return Response(status=204)

    def _merge(self, request: Request, repository: Repository, number: int) -> Response:
        data = body(request)
        method = text(data, "merge_method") or "merge"
        if method not in ("merge", "squash", "rebase"):
            raise invalid("merge_method")
        commits = self._pulls.comparison(repository.slug, pull_of(repository, number)).commits
        if method == "rebase" and len(commits) != 1:
            raise PullRefused(405, "This branch can't be rebased")  # here: of several commits
        pull = self._pulls.merge(
            repository.slug,
            number,
            by=Caller.BOT.value,
            head_sha=text(data, "sha"),
            squash=method != "merge",
            title=text(data, "commit_title"),
            text=text(data, "commit_message"),
        )
        message = "Pull Request successfully merged"
        return answer({"sha": pull.merge_commit_sha, "merged": True, "message": message})

    def _check_runs(self, request: Request, repository: Repository, ref: str) -> Response:
        page = f"{shapes(request).web}/{repository.slug}/commit"
        runs: list[Json] = [
            {
                "id": check.number,
                "name": check.name,
                "head_sha": check.sha,
                "status": "completed" if check.conclusion else "in_progress",
                "conclusion": check.conclusion or None,
                "html_url": f"{page}/{check.sha}",
                "url": f"{shapes(request).api}/repos/{repository.slug}/check-runs/{check.number}",
                "output": {"title": None, "summary": None, "text": None, "annotations_count": 0},
                "app": {"id": 15368, "slug": "github-actions", "name": "GitHub Actions"},
            }
            for check in self._checks.of(repository.slug, ref)
        ]
        return answer({"total_count": len(runs), "check_runs": runs})

    def _logs(self, request: Request, repository: Repository, number: int) -> Response:
        if self._checks.find(repository.slug, number) is None:
            raise PullRefused(404, "Not Found")
        place = f"{_LOG}{repository.slug}/{number}"
        return redirect(f"{request.host_url.rstrip('/')}{place}?sig={self._signature(place)}", 302, Response)

    def _log(self, request: Request) -> Response:
        if request.headers.get("Authorization"):
            raise PullRefused(400, "Only one auth mechanism allowed")
        given = request.args.get("sig", "")
        if not hmac.compare_digest(self._signature(request.path), given):
            raise PullRefused(403, "AuthenticationFailed")
        slug, _, number = request.path.removeprefix(_LOG).rpartition("/")
        check = self._checks.find(slug, int(number))
        return Response(check.output if check else "", mimetype="text/plain")

    def _signature(self, place: str) -> str:
        return hmac.new(self._token.encode(), place.encode(), hashlib.sha256).hexdigest()

    def _mint(self, request: Request, number: int) -> Response:
        """A token of the App's installation, for repositories that are there."""
        proof = request.headers.get("Authorization", "").removeprefix("Bearer ")
        app = self.apps.get(number)
        if app is None or not app.proves(proof):
            raise PullRefused(401, "A JSON web token could not be decoded")
        for name in texts(body(request), "repositories"):
            if not any(one.name == name for one in self._store.all()):
                raise PullRefused(422, "At least one repository does not exist or is not accessible")
        return answer({"token": self._token, "expires_at": "2099-01-01T00:00:00Z"}, status=201)
