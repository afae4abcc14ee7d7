"""A click on a button in Slack: what the request says, and whether Slack signed it.

https://docs.slack.dev/authentication/verifying-requests-from-slack
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from functions.core.approval.approvers import slack_user
from functions.core.approval.links import LinkInvalid
from functions.core.notify.slack import Ticket, read_ticket

# Slack's own advice against replays. Seconds.
_TIMELY = 300
# A payload repeats the message, which has at most some ten thousand characters.
LARGEST_BODY = 256 * 1024
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class NotSlack(Exception):
    """Nothing of this request counts. `status` is the HTTP status to answer; nobody is told more."""

    def __init__(self, why: str, status: int = 403) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Click:
    """Who did what, on Slack's word."""

    ticket: Ticket
    by: str
    """As decisions record it: `slack:U012AB3CD (ana)`."""
    action: str
    """The element's `action_id`; what may be chosen is in `functions.core.notify.slack.Button`."""
    reason: str
    """What was chosen from the list of reasons, "" for a button."""
    response_url: str
    """Where the message can be answered, for half an hour; whoever has it can write to the channel."""
    message: Mapping[str, Any]
    """The message with the buttons, as Slack shows it."""


def read(
    body: bytes,
    headers: Mapping[str, str],
    keys: tuple[bytes, ...],
    secret_of: Callable[[str], bytes | None],
    now: float,
) -> Click:
    """The click in a request. headers: names in lower case. Raises NotSlack.

    The app in the payload chooses the secret to verify with, which costs a call, so the ticket that names it
    must be one of ours. Nothing else of the payload is looked at before Slack's signature holds.
    """
    if len(body) > LARGEST_BODY:
        raise NotSlack("too large", 413)
    if (
        headers.get("content-type", "").partition(";")[0].strip().lower()
        != "application/x-www-form-urlencoded"
    ):
        raise NotSlack("not a form", 400)
    payload = _payload(body)
    try:
        action = payload["actions"][0]
        ticket = read_ticket(str(action["block_id"]), keys)
    except (LookupError, TypeError, LinkInvalid) as error:
        raise NotSlack("no ticket of ours") from error
    secret = secret_of(ticket.app)
    if secret is None:
        raise NotSlack("the app has no signing secret")
    _verify(body, headers, secret, now)
    try:
        return _click(payload, action, ticket)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise NotSlack("not a click", 400) from error


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature that Slack sends with `body`."""
    return "v0=" + hmac.digest(secret, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hex()


def _verify(body: bytes, headers: Mapping[str, str], secret: bytes, now: float) -> None:
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) > _TIMELY:
        raise NotSlack("not timely")
    given = headers.get("x-slack-signature", "").encode(errors="replace")
    if not hmac.compare_digest(sign(secret, timestamp, body).encode(), given):
        raise NotSlack("not signed with the app's secret")


def _payload(body: bytes) -> dict[str, Any]:
    try:
        fields = parse_qs(body.decode(), strict_parsing=True, max_num_fields=2)
        payload = json.loads(fields["payload"][0])
    # Deep nesting is refused by the interpreter's own limit.
    except (LookupError, ValueError, RecursionError) as error:
        raise NotSlack("not a payload", 400) from error
    if not isinstance(payload, dict):
        raise NotSlack("not a payload", 400)
    return payload


def _click(payload: Mapping[str, Any], action: Mapping[str, Any], ticket: Ticket) -> Click:
    if payload["type"] != "block_actions":
        raise ValueError("another kind of interaction")
    user, message = payload["user"], payload.get("message")
    return Click(
        ticket=ticket,
        by=slack_user(str(user["id"]), str(user.get("username") or user.get("name") or "")),
        action=str(action["action_id"]),
        reason=str((action.get("selected_option") or {}).get("value") or ""),
        response_url=str(payload.get("response_url") or ""),
        message=message if isinstance(message, dict) else {},
    )
