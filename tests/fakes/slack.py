"""Slack as the page meets it: clicks on the buttons of a message, signed as Slack signs them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from functions.decide_approval.slack_request import sign

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Signed:
    """A request as Slack sends it."""

    body: bytes
    headers: dict[str, str]


def block(message: dict[str, Any]) -> dict[str, Any]:
    """The buttons of a message."""
    (found,) = [block for block in message["blocks"] if block["type"] == "actions"]
    return dict(found)


def payload(
    message: dict[str, Any],
    action: str,
    reason: str = "",
    *,
    user: str = "U012AB3CD",
    name: str = "ana",
    response_url: str = "https://hooks.slack.com/actions/T0/1/secret-part",
) -> dict[str, Any]:
    """What Slack says when `user` clicks; `message` is the message as it was posted.

    https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
    """
    clicked: dict[str, Any] = {
        "type": "static_select" if reason else "button",
        "action_id": action,
        "block_id": block(message)["block_id"],
        "action_ts": "1795197600.000100",
    }
    if reason:
        clicked["selected_option"] = {"text": {"type": "plain_text", "text": "..."}, "value": reason}
    return {
        "type": "block_actions",
        "user": {"id": user, "username": name, "name": name, "team_id": "T0"},
        "api_app_id": "A0",
        "token": "a verification token, which is deprecated",
        "container": {"type": "message", "message_ts": "1795197500.000100", "channel_id": "C0"},
        "trigger_id": "1.2.3",
        "team": {"id": "T0", "domain": "shop"},
        "channel": {"id": "C0", "name": "alerts"},
        "message": {"type": "message", "text": message["text"], "blocks": message["blocks"]},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [clicked],
    }


def signed(payload: dict[str, Any], secret: str = SECRET, age: int = 0) -> Signed:
    """A request with this payload, signed `age` seconds ago."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = str(int(time.time()) - age)
    headers = {
        "content-type": FORM,
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": sign(secret.encode(), timestamp, body),
    }
    return Signed(body, headers)
