"""What GitLab has and the embedded forge needs not: what jobs say of a commit, and what they print.

https://docs.gitlab.com/api/commits/ and https://docs.gitlab.com/api/jobs/
"""

from __future__ import annotations

from werkzeug import Response

from infra.local.forge.gitlab import GitLabApi, as_json
from infra.local.forge.pulls import PullRefused, Pulls
from infra.local.forge.store import Repository, Store
from tests.fakes.github import Checks

# What GitHub calls a conclusion → what GitLab calls a status.
_CONCLUSIONS = {"": "running", "success": "success", "failure": "failed", "skipped": "skipped"}


class GitLabWithJobs(GitLabApi):
    """The forge's own API, and these."""

    def __init__(self, store: Store, pulls: Pulls, checks: Checks) -> None:
        super().__init__(store, pulls)
        self._checks = checks

    def _statuses(self, repository: Repository, sha: str) -> Response:
        return as_json(
            [
                {
                    "id": one.number,
                    "sha": sha,
                    "name": one.name,
                    "status": _CONCLUSIONS.get(one.conclusion, "failed"),
                    "allow_failure": False,
                    "target_url": None,
                    "description": None,
                }
                for one in self._checks.of(repository.slug, sha)
            ]
        )

    def _trace(self, repository: Repository, number: int) -> Response:
        check = self._checks.find(repository.slug, number)
        if check is None:
            raise PullRefused(404, "404 Not Found")
        return Response(check.output, mimetype="text/plain")
