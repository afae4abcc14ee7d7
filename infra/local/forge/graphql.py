"""What REST has no word for, of GitHub's GraphQL API: a draft that becomes ready, and blame.

https://docs.github.com/graphql
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug import Request, Response

from infra.local.forge.access import Caller
from infra.local.forge.answers import answer, body
from infra.local.forge.pulls import PullRefused, Pulls
from infra.local.forge.shapes import of_node_id
from infra.local.forge.store import Store

_READY = "markPullRequestReadyForReview"
_BLAME = "blame(path: $path)"


class GraphQL:
    """Knows queries by the one field that each is about; variables may not be missing."""

    def __init__(self, store: Store, pulls: Pulls) -> None:
        self._store = store
        self._pulls = pulls

    def answer(self, request: Request, caller: Caller) -> Response:
        if caller is not Caller.BOT:
            raise PullRefused(401, "Requires authentication")
        data = body(request)
        query, variables = str(data.get("query", "")), data.get("variables")
        if isinstance(variables, dict) and _READY in query:
            return self._ready(variables)
        if isinstance(variables, dict) and _BLAME in query:
            return self._blame(variables)
        return _missing()

    def _ready(self, variables: Mapping[str, Any]) -> Response:
        found = of_node_id(str(variables.get("input", {}).get("pullRequestId", "")))
        if found is None:
            return _missing()
        self._pulls.edit(*found, draft=False)
        changed = {"clientMutationId": None, "pullRequest": {"isDraft": False}}
        return answer({"data": {_READY: changed}})

    def _blame(self, variables: Mapping[str, Any]) -> Response:
        try:
            repository = self._pulls.repository(f"{variables.get('owner')}/{variables.get('name')}")
        except PullRefused:
            return _missing()
        git = self._store.git(repository.slug)
        sha, path = str(variables.get("sha")), str(variables.get("path"))
        if not git.is_commit(sha):
            return answer({"data": {"repository": {"object": None}}})
        ranges = [
            {
                "startingLine": one.first,
                "endingLine": one.last,
                "commit": {
                    "committedDate": one.commit.date,
                    "author": {"user": {"login": login} if (login := repository.user_of(one.mail)) else None},
                },
            }
            for one in git.blame(sha, path)
        ]
        return answer({"data": {"repository": {"object": {"blame": {"ranges": ranges}}}}})


def _missing() -> Response:
    return answer({"errors": [{"type": "NOT_FOUND", "message": "Could not resolve to a node"}]})
