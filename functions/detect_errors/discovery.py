"""Whose a log group is that nobody registered: asked of its function's tags, seldom, and remembered.

Where all log groups of an account are delivered, most of them are nobody's here. What a function's tags said
is good for some minutes, that they said nothing as well; so a stranger's storm costs one call in that time,
and a tag counts, or counts no more, within it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.core.apps.app import App
from functions.core.apps.deployed import NO_ANSWER
from functions.core.apps.discovery import NotCovered, Tagged, discover
from functions.core.apps.registry import Registry
from functions.core.aws.names import function_of
from functions.core.aws.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

KEEP_SECONDS = 300
MOST_KEPT = 5_000
"""Functions; a name is at most 64 characters."""


class Discovery:
    """Apps by the tags of functions. partition: of this region's ARNs; clock: seconds, never going back."""

    def __init__(
        self, client: LambdaClient, registry: Registry, partition: str, clock: Callable[[], float]
    ) -> None:
        self._lambda = client
        self._registry = registry
        self._partition = partition
        self._clock = clock
        self._known: dict[str, tuple[float, App | None]] = {}

    def app_of(self, log_group: str, account: str) -> App | None:
        """The app that a log group's function is by its tags; None for none, and for what is no function's.

        account: whose log group it is. Raises what a retry may mend.
        """
        function = function_of(log_group)
        if not function:
            return None
        until, known = self._known.get(function, (0.0, None))
        if self._clock() < until:
            return known
        found = self._look(function, account)
        self._known.pop(function, None)
        self._known[function] = (self._clock() + KEEP_SECONDS, found)
        while len(self._known) > MOST_KEPT:
            del self._known[next(iter(self._known))]  # the oldest
        return found

    def _look(self, function: str, account: str) -> App | None:
        entries = self._registry.registered(fresh=False)
        if not any(app.is_family for app in entries):
            return None
        try:
            found = discover(function, self._tags(function, account), entries)
            if found is None:
                return None
            tagged, app = found
            self._keep(tagged)
        except NotCovered as error:
            logger().warning("not discovered", extra={"function": function, "why": str(error)})
            return None
        return app

    def _tags(self, function: str, account: str) -> dict[str, str]:
        arn = f"arn:{self._partition}:lambda:{self._lambda.meta.region_name}:{account}:function:{function}"
        try:
            return self._lambda.list_tags(Resource=arn).get("Tags", {})
        except ClientError as error:
            # A log group outlives its function, and may be of another account.
            if error.response["Error"]["Code"] in NO_ANSWER:
                return {}
            raise

    def _keep(self, tagged: Tagged) -> None:
        """Before anything is recorded: every later step asks the registry for the app by its name."""
        kept = self._registry.discovered(tagged.name)
        if kept and not kept.is_same_app(tagged):
            raise NotCovered(f"the name {tagged.name} is taken by function {kept.function}")
        if kept != tagged:
            self._registry.keep_discovered(tagged)
