"""Which incident an error belongs to that was known under another fingerprint before the rules changed.

A new version of the fingerprint renames every error. Its incident keeps its id, its history and its pull
request: once per app and version, each incident that is kept is read again under the new rules, from its own
sample, and what it would be called now becomes an alias of what it is called. Twice is once: the same
incidents give the same aliases. The aliases of an app are one item of the incidents table, without `status`
and so no incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.core.incidents.table import setting
from functions.detect_errors.read import read_errors
from functions.detect_errors.sightings import Occurrence

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

MOST = 4_000
"""Aliases kept of an app, of the incidents seen last: an item holds 400 KB, an alias takes less than 100
bytes."""

Identify = Callable[[Incident], str | None]
"""An incident's fingerprint under the rules of now; None where its sample no longer tells."""


class Aliases:
    """The aliases of the apps, under one version of the fingerprint's rules ("v3")."""

    def __init__(self, table: Table, version: str) -> None:
        self._table = table
        self._version = version
        self._known: dict[str, Mapping[str, str]] = {}

    def of(self, app: str, identify: Identify) -> Mapping[str, str]:
        """Fingerprint now → fingerprint of the app's incident. One read per process; the first one migrates.

        Raises botocore's ClientError.
        """
        if app not in self._known:
            key = {"incident_id": f"aliases-{app}"}
            item = self._table.get_item(Key=key, ConsistentRead=True).get("Item", {})
            if item.get("version") != self._version:
                item = {"aliases": self._migrated(app, identify)}
                self._table.update_item(Key=key, **setting({"version": self._version, **item}))
            self._known[app] = cast("dict[str, str]", item["aliases"])
        return self._known[app]

    def _migrated(self, app: str, identify: Identify) -> dict[str, str]:
        aliases: dict[str, str] = {}
        asked: dict[str, Any] = {
            "IndexName": "by_app",
            "KeyConditionExpression": "#app = :app",
            "ExpressionAttributeNames": {"#app": "app"},
            "ExpressionAttributeValues": {":app": app},
            "ScanIndexForward": False,  # of two that are one now, the one seen last goes on
        }
        while len(aliases) < MOST:
            page = self._table.query(**asked)
            for row in page["Items"]:
                if str(row["fingerprint"]).startswith(f"{self._version}-"):
                    continue
                item = self._table.get_item(Key={"incident_id": row["incident_id"]}).get("Item")
                now = identify(Incident.from_item(item)) if item else None
                if now:
                    aliases.setdefault(now, str(row["fingerprint"]))
            if "LastEvaluatedKey" not in page:
                break
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return dict(list(aliases.items())[:MOST])


def identify(app: App) -> Identify:
    """Reads an incident's sample as detection would read it now."""
    return partial(_fingerprint_now, app)


def _fingerprint_now(app: App, incident: Incident) -> str | None:
    errors = read_errors(incident.sample, packages=app.packages, roots=tuple(app.source_roots))
    # A sample may hold other errors, too: before this one in its event, or behind it in events of single
    # lines.
    same = [error for error in errors if (error.type or "") == incident.error_type]
    if incident.frames:
        last = incident.frames[-1]
        here = [error for error in same if error.frames and error.frames[-1].function == last.function]
        same = here or [error for error in same if not error.frames]
    return same[0].fingerprint if same else None


def renamed(found: Iterable[Occurrence], aliases: Mapping[str, str]) -> list[Occurrence]:
    """The occurrences, counted under the names that their incidents have."""
    return [
        replace(one, error=one.error._replace(fingerprint=old))
        if (old := aliases.get(one.error.fingerprint))
        else one
        for one in found
    ]
