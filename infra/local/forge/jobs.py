"""What a repository's own jobs say of a commit, in GitHub's words: check runs, and the log of each.

https://docs.github.com/rest/checks/runs and https://docs.github.com/rest/actions/workflow-jobs
"""

from __future__ import annotations

import hashlib
import hmac

from werkzeug import Request, Response
from werkzeug.utils import redirect

from infra.local.forge.answers import answer, body, shapes, text
from infra.local.forge.pulls import PullRefused, Pulls
from infra.local.forge.store import Repository

LOG = "/log"
"""Stands for the storage to which GitHub sends whoever wants a job's log; its addresses are signed."""


class Jobs:
    """base: path of the API."""

    def __init__(self, pulls: Pulls, base: str, token: str) -> None:
        self._pulls = pulls
        self._base = base
        self._token = token

    def checks(self, request: Request, repository: Repository, ref: str) -> Response:
        runs = [shapes(request).check(repository, one) for one in repository.checks_of(ref)]
        return answer({"total_count": len(runs), "check_runs": runs})

    def status(self, request: Request, repository: Repository, ref: str) -> Response:
        return answer({"state": "pending", "sha": ref, "total_count": 0, "statuses": []})

    def check(self, request: Request, repository: Repository) -> Response:
        data = body(request)
        output = data.get("output")
        check = self._pulls.check(
            repository.slug,
            text(data, "head_sha"),
            text(data, "name"),
            text(data, "conclusion"),
            text(output, "text") if isinstance(output, dict) else "",
        )
        return answer(shapes(request).check(repository, check), status=201)

    def logs(self, request: Request, repository: Repository, number: int) -> Response:
        if not 1 <= number <= len(repository.checks):
            raise PullRefused(404, "Not Found")
        place = f"{self._base}{LOG}/{repository.slug}/{number}"
        return redirect(f"{request.host_url.rstrip('/')}{place}?sig={self._signature(place)}", 302, Response)

    def log(self, request: Request) -> Response:
        if request.headers.get("Authorization"):
            raise PullRefused(400, "Only one auth mechanism allowed")
        given = request.args.get("sig", "")
        if not hmac.compare_digest(self._signature(request.path), given):
            raise PullRefused(403, "AuthenticationFailed")
        slug, _, number = request.path.removeprefix(f"{self._base}{LOG}/").rpartition("/")
        check = self._pulls.repository(slug).checks[int(number) - 1]
        return Response(check.output, mimetype="text/plain")

    def _signature(self, place: str) -> str:
        return hmac.new(self._token.encode(), place.encode(), hashlib.sha256).hexdigest()
