"""What is told at once, and what waits to be told together: so many at once that nobody would read them, and
what comes within an app's quiet hours. Questions and failures do not come this way: failures wait for
nothing, and of a question only the messages wait (see `tell_at`); nor does what follows a person's decision.

Two kinds of items in the incidents table, which have neither app nor status: `told#APP#WINDOW` counts what
was told in a stretch of time, `held#APP` holds what waits.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError

from functions.core.apps.app import App
from functions.core.incidents.incident import Incident
from functions.core.notify.counts import counted
from functions.core.notify.notifications import About, Notifications
from functions.core.untrusted.inert import inert_line

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

AT_ONCE, WINDOW_SECONDS = 5, 900
"""So many letters of an app in so much time are told each by itself."""
_LISTED, _LINE = 50, 250
_KEEP_SECONDS = 7 * 24 * 3600


class Outbox:
    """Notifications of an app's incidents about which nothing has to be decided."""

    def __init__(self, table: Table, notifications: Notifications) -> None:
        self._table = table
        self._notifications = notifications

    def tell(
        self, app: App, incident: Incident, subject: str, text: str, now: float, kind: str = "recorded"
    ) -> bool:
        """Send, or keep for a digest; whether it was sent now. now: epoch seconds; kind: see `About`."""
        if quiet(app, now) or self._told(app, now) > AT_ONCE:
            self._hold(app, incident)
            return False
        return self._notifications.send(subject, text, about=About.incident(incident, kind))

    def digest(self, app: App, now: float) -> int:
        """Tell what waits, in one letter, unless it is quiet now; how much that was.

        What is told is taken off first: a digest that gets lost is better than one every half hour.
        """
        if quiet(app, now):
            return 0
        key = {"incident_id": f"held#{app.kept_by}"}
        lines, count = waiting(self._table, app)
        if not count:
            return 0
        removal = " DELETE #lines :lines" if lines else ""
        self._table.update_item(
            Key=key,
            UpdateExpression=f"ADD #more :minus{removal}",
            ConditionExpression="#more >= :count",
            ExpressionAttributeNames={"#more": "more"} | ({"#lines": "lines"} if lines else {}),
            ExpressionAttributeValues={":minus": -count, ":count": count}
            | ({":lines": set(lines)} if lines else {}),
        )
        self._notifications.send(*_digest(app, lines, count), about=About(app.name, "digest"))
        return count

    def _told(self, app: App, now: float) -> int:
        window = int(now) // WINDOW_SECONDS
        answer = self._table.update_item(
            Key={"incident_id": f"told#{app.kept_by}#{window}"},
            UpdateExpression="ADD #told :one SET #ttl = :ttl",
            ExpressionAttributeNames={"#told": "told", "#ttl": "ttl"},
            ExpressionAttributeValues={":one": 1, ":ttl": int(time.time()) + _KEEP_SECONDS},
            ReturnValues="UPDATED_NEW",
        )
        return int(str(answer["Attributes"]["told"]))

    def _hold(self, app: App, incident: Incident) -> None:
        line = f"{inert_line(incident.title)} ({incident.error_class})"[:_LINE]
        names = {"#more": "more", "#lines": "lines", "#ttl": "ttl"}
        values: dict[str, Any] = {":one": 1, ":line": {f"{line}\n{incident.incident_id}"}, ":most": _LISTED}
        values[":ttl"] = int(time.time()) + _KEEP_SECONDS
        key = {"incident_id": f"held#{app.kept_by}"}
        try:
            self._table.update_item(
                Key=key,
                UpdateExpression="ADD #more :one, #lines :line SET #ttl = :ttl",
                ConditionExpression="attribute_not_exists(#lines) OR size(#lines) < :most",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            self._table.update_item(
                Key=key,
                UpdateExpression="ADD #more :one",
                ExpressionAttributeNames={"#more": "more"},
                ExpressionAttributeValues={":one": 1},
            )


def waiting(table: Table, app: App) -> tuple[list[str], int]:
    """What waits to be told together: the first of it, as `TITLE (CLASS)` and the id in a line each, and how
    much that is."""
    key = {"incident_id": f"held#{app.kept_by}"}
    item: dict[str, Any] = table.get_item(Key=key, ConsistentRead=True).get("Item") or {}
    return sorted(item.get("lines") or ()), int(str(item.get("more", 0)))


def quiet(app: App, now: float) -> bool:
    """Whether it is within the app's quiet hours, on the clock of its people. now: epoch seconds."""
    if not app.quiet_hours:
        return False
    at = f"{datetime.fromtimestamp(now, _zone(app)):%H:%M}"
    start, _, end = app.quiet_hours.partition("-")
    return start <= at < end if start <= end else at >= start or at < end


def quiet_until(app: App, now: float) -> float:
    """When the quiet hours end that it is within; now, where it is within none. Both in epoch seconds."""
    if not quiet(app, now):
        return now
    local = datetime.fromtimestamp(now, _zone(app))
    hour, minute = app.quiet_hours.partition("-")[2].split(":")
    end = local.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    return (end if end > local else end + timedelta(days=1)).timestamp()


def tell_at(app: App, now: float, expires_at: float) -> int:
    """When people are told of a question: 0 for now, else when the app's quiet hours end, in epoch seconds.

    It does not wait for longer than half of the time in which it can be decided.
    """
    until = quiet_until(app, now)
    return int(until) if now < until <= (now + expires_at) / 2 else 0


def _zone(app: App) -> tzinfo:
    return ZoneInfo(app.time_zone) if app.time_zone else UTC


def _digest(app: App, lines: list[str], count: int) -> tuple[str, str]:
    """Subject and text."""
    shown = [f"- {title}\n  {incident_id}" for title, _, incident_id in (ln.partition("\n") for ln in lines)]
    left = count - len(lines)
    more = [f"and {left:,} more"] if left > 0 else []
    kinds = "one more error" if count == 1 else counted(count, "more error")
    text = [
        f"{app.name}: {kinds}, recorded, and not or no longer being healed:",
        "",
        *shown,
        *more,
        "",
        f"All of them: selfheal incidents --app {app.name} --status closed",
    ]
    return f"[{app.name}] {kinds[0].upper()}{kinds[1:]}", "\n".join(text) + "\n"
