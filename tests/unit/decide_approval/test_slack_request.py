"""What counts as a click of Slack's: only what the app's own secret signed, just now, about bytes of ours."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.core.approval.approvals import Approval
from functions.core.notify import slack
from functions.decide_approval.slack_request import LARGEST_BODY, NotSlack, read, sign
from tests.fakes.slack import FORM, SECRET, Signed, payload, signed

KEY = b"newest-link-key-of-at-least-thirty-two-characters"
SECRETS = {"orders": SECRET.encode(), "billing": b"another app's secret"}
APPROVAL = Approval(
    approval_id="approval-1-with-entropy",
    incident_id="orders-v1-abc",
    app="orders",
    heal_id="heal-1",
    execution_arn="arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1",
    attempt=1,
    redrive_count=0,
    patch_sha256="a" * 64,
    base_sha="b" * 40,
    patch_key="p",
    evidence_key="e",
    proposal_key="q",
    expires_at=2_000_000_000,
)


def message(approval: Approval = APPROVAL, key: bytes = KEY) -> dict[str, Any]:
    ticket = slack.ticket(approval, key)
    return {
        "text": "orders: approve a fix?",
        "blocks": [slack.actions(slack.Buttons(ticket, "a" * 64, 2, ""))],
    }


def taken(request: Signed) -> Any:
    return read(request.body, request.headers, (KEY,), SECRETS.get, time.time())


def with_headers(request: Signed, **changes: str | None) -> Signed:
    headers = request.headers | {
        name.replace("_", "-"): value for name, value in changes.items() if value is not None
    }
    gone = {name.replace("_", "-") for name, value in changes.items() if value is None}
    return Signed(request.body, {name: value for name, value in headers.items() if name not in gone})


def resigned(body: bytes) -> Signed:
    """Any body, signed with the right secret."""
    timestamp = str(int(time.time()))
    signature = sign(SECRET.encode(), timestamp, body)
    return Signed(
        body,
        {"content-type": FORM, "x-slack-request-timestamp": timestamp, "x-slack-signature": signature},
    )


def test_the_signature_is_slacks() -> None:
    """By the recipe of the documentation, written down once more, from parts."""
    base = "v0:1531420618:payload=%7B%7D"
    expected = "v0=" + hmac.new(SECRET.encode(), base.encode(), hashlib.sha256).hexdigest()
    assert sign(SECRET.encode(), "1531420618", b"payload=%7B%7D") == expected


def test_a_signed_click_says_who_did_what_about_which_bytes() -> None:
    click = taken(signed(payload(message(), "reject", "wrong_fix")))
    assert (click.action, click.reason, click.by) == ("reject", "wrong_fix", "slack:U012AB3CD (ana)")
    assert click.ticket == slack.Ticket("orders", "approval-1-with-entropy", "a" * 64)


@pytest.mark.parametrize(
    "name", ["ana) and ben (x", "a" * 90, "", "ana@shop.example", "an\u0430\u202e", "<@U1>"]
)
def test_a_name_that_could_mislead_is_left_out(name: str) -> None:
    by = taken(signed(payload(message(), "approve", name=name))).by
    assert by.startswith("slack:U012AB3CD")
    assert not set(by) & set("@<>\u202e")
    assert by.count("(") <= 1


def good() -> Signed:
    """Made when it is used: what Slack signed is too old after five minutes."""
    return signed(payload(message(), "approve"))


FORGERIES: dict[str, Callable[[], Signed]] = {
    "wrong secret": lambda: signed(payload(message(), "approve"), secret="guessed"),
    "another app's secret": lambda: signed(payload(message(), "approve"), secret="another app's secret"),
    "no secret": lambda: signed(payload(message(), "approve"), secret=""),
    "too old": lambda: signed(payload(message(), "approve"), age=301),
    "from the future": lambda: signed(payload(message(), "approve"), age=-301),
    "altered body": lambda: replace(good(), body=good().body.replace(b"approve", b"reject")),
    "appended body": lambda: replace(good(), body=good().body + b"&payload=%7B%7D"),
    "another timestamp": lambda: with_headers(good(), x_slack_request_timestamp=str(int(time.time()) + 1)),
    "no timestamp": lambda: with_headers(good(), x_slack_request_timestamp=None),
    "empty timestamp": lambda: with_headers(good(), x_slack_request_timestamp=""),
    "timestamp in words": lambda: with_headers(good(), x_slack_request_timestamp="now"),
    "timestamp in other digits": lambda: with_headers(good(), x_slack_request_timestamp="\u0661" * 10),
    "endless timestamp": lambda: with_headers(good(), x_slack_request_timestamp="1" * 5_000),
    "no signature": lambda: with_headers(good(), x_slack_signature=None),
    "empty signature": lambda: with_headers(good(), x_slack_signature=""),
    "half a signature": lambda: with_headers(
        good(), x_slack_signature=good().headers["x-slack-signature"][:40]
    ),
    "another version": lambda: with_headers(
        good(), x_slack_signature=good().headers["x-slack-signature"].replace("v0", "v1")
    ),
    "signature in other letters": lambda: with_headers(good(), x_slack_signature="v0=\u00e9\ud800"),
    "no headers": lambda: replace(good(), headers={}),
    "not a form": lambda: with_headers(good(), content_type="application/json"),
    "huge": lambda: resigned(b"payload=" + b"x" * LARGEST_BODY),
    "nothing": lambda: resigned(b""),
    "no payload": lambda: resigned(b"a=b"),
    "not UTF-8": lambda: resigned(b"payload=\xff"),
    "many fields": lambda: resigned(b"payload=%7B%7D&a=b&c=d"),
    "not JSON": lambda: resigned(b"payload=approve"),
    "a list": lambda: resigned(b"payload=[]"),
    "deep": lambda: resigned(b"payload=" + b"[" * 100_000),
    "an endless number": lambda: resigned(b"payload=" + b"1" * 100_000),
    "no action": lambda: signed({**payload(message(), "approve"), "actions": []}),
    "no block": lambda: signed({**payload(message(), "approve"), "actions": [{"action_id": "approve"}]}),
    "ticket of another key": lambda: signed(payload(message(key=b"x" * 40), "approve")),
    "ticket of an app without secret": lambda: signed(
        payload(message(replace(APPROVAL, app="unknown")), "approve")
    ),
    "ticket of another app": lambda: signed(payload(message(replace(APPROVAL, app="billing")), "approve")),
    "another kind": lambda: signed({**payload(message(), "approve"), "type": "view_submission"}),
    "no user": lambda: signed({**payload(message(), "approve"), "user": {}}),
    "a user who is a list": lambda: signed({**payload(message(), "approve"), "user": []}),
    "a user by name": lambda: signed(payload(message(), "approve", user="ana")),
    "a bot": lambda: signed(payload(message(), "approve", user="B012AB3CD")),
    "a user id with more": lambda: signed(payload(message(), "approve", user="U012AB3CD (x)")),
}


def exchanged(old: str, new: str) -> Signed:
    """The good payload with a part of its ticket exchanged, signed as Slack would."""
    text = json.dumps(payload(message(), "approve")).replace(old, new)
    return resigned(urlencode({"payload": text}).encode())


FORGERIES |= {
    "ticket about other bytes": lambda: exchanged("a" * 64, "c" * 64),
    "ticket of another approval": lambda: exchanged("approval-1-with-entropy", "approval-2-with-entropy"),
    "ticket that lives longer": lambda: exchanged("2000000000", "2000000001"),
    "a link's token": lambda: exchanged(slack.ticket(APPROVAL, KEY), "approval-1-with-entropy.1.dGVhbQ.abc"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_slack_did_not_sign_for_this_app_just_now_is_refused(forgery: str) -> None:
    taken(good())
    with pytest.raises(NotSlack) as refused:
        taken(FORGERIES[forgery]())
    assert refused.value.status in (400, 403, 413)


def test_who_has_no_ticket_of_ours_costs_no_call() -> None:
    def never(app: str) -> bytes:
        raise AssertionError(f"asked for the secret of {app!r}")

    request = signed(payload(message(key=b"x" * 40), "approve"))
    with pytest.raises(NotSlack, match="ticket"):
        read(request.body, request.headers, (KEY,), never, time.time())


def test_the_ticket_fits_into_slacks_field() -> None:
    longest = replace(APPROVAL, app="a" * 40, approval_id="x" * 32, expires_at=9_999_999_999)
    assert len(slack.ticket(longest, KEY)) <= 255
