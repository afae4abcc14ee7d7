"""Reminders: once, in the last quarter of the time, to those who can still decide."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.core.approval import links
from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.remind_approvers.remind import remind
from tests.fakes.channel import Channel
from tests.fakes.deployments import around

if TYPE_CHECKING:
    from tests.unit.conftest import Inbox, Scene

ANA, BEN = "ana@shop.example", "ben@shop.example"
APPS = [App("orders", ("/aws/lambda/orders",), "https://github.com/shop/orders.git")]


@pytest.fixture
def desk(scene: Scene, inbox: Inbox, webhooks: Webhooks) -> Deployment:
    topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
    return around(scene, notifications=Notifications(boto3.client("sns"), topic, topic), webhooks=webhooks)


def asked(scene: Scene, *, hours_ago: int, hours_left: int, **changes: Any) -> Any:
    """A question put so long ago, with so much time left."""
    approval = scene.approval(expires_at=int(time.time()) + hours_left * 3600, **changes)
    then = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    scene.approvals._table.update_item(
        Key={"approval_id": approval.approval_id},
        UpdateExpression="SET created_at = :then",
        ExpressionAttributeValues={":then": then},
    )
    return approval


@pytest.mark.parametrize(
    ("ago", "left", "due"), [(1, 167, False), (125, 43, False), (127, 41, True), (167, 1, True)]
)
def test_people_are_reminded_in_the_last_quarter(
    scene: Scene, desk: Deployment, inbox: Inbox, ago: int, left: int, due: bool
) -> None:
    asked(scene, hours_ago=ago, hours_left=left)
    assert bool(remind(APPS, desk, time.time()).reminded) is due
    assert len(inbox()) == due


def test_a_reminder_comes_once_with_a_link_that_works(scene: Scene, desk: Deployment, inbox: Inbox) -> None:
    approval = asked(scene, hours_ago=90, hours_left=10)
    assert remind(APPS, desk, time.time()).reminded == (approval.incident_id,)
    assert remind(APPS, desk, time.time()).reminded == ()
    (message,) = inbox()
    token = message["Message"].partition("?t=")[2].split()[0]
    assert links.verify(token, approval.approval_id, scene.keys, time.time()).recipient == "team"
    assert message["Subject"].startswith("[orders] Decide until 20")


@pytest.mark.parametrize("approvers", [(), (ANA,)], ids=["anybody", "named"])
def test_channels_are_reminded_once_with_the_evidence(
    scene: Scene, desk: Deployment, channel: Channel, approvers: tuple[str, ...]
) -> None:
    approval = asked(scene, hours_ago=90, hours_left=10, approvers=approvers)
    for _ in range(2):
        remind(APPS, desk, time.time())
    assert len(channel.posted) == 2, "Slack and Teams, each once"
    for text in channel.texts:
        for words in ("orders: still waits for a decision", "86%", "NOT fully proven", "Decide until"):
            assert words in text
        assert (f"/a/{approval.approval_id}?t=" in text) is not bool(approvers)
        assert "RATES.get" not in text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"approvers": (ANA, BEN)}, {ANA, BEN}),
        ({"approvers": (ANA, BEN), "first_by": ANA, "first_person": ANA}, {BEN}),
        ({"approvers": (ANA, "arn:aws:iam::111122223333:role/Release")}, {ANA}),
    ],
    ids=["all", "who-has-not-approved", "who-has-a-mailbox"],
)
def test_those_are_reminded_who_can_still_decide(
    scene: Scene,
    desk: Deployment,
    inbox: Inbox,
    changes: dict[str, Any],
    told: set[str],
) -> None:
    asked(scene, hours_ago=90, hours_left=10, **changes)
    remind(APPS, desk, time.time())
    assert {message["MessageAttributes"]["recipient"]["Value"] for message in inbox()} == told


@pytest.mark.parametrize("move", ["supersede", "expire"])
def test_nobody_is_reminded_of_what_is_over(scene: Scene, desk: Deployment, inbox: Inbox, move: str) -> None:
    approval = asked(scene, hours_ago=90, hours_left=10)
    getattr(scene.approvals, move)(approval.approval_id)
    assert remind(APPS, desk, time.time()).reminded == ()
    assert inbox() == []


def clock(offset: float) -> str:
    """HH:MM in UTC, so many seconds from now."""
    return f"{datetime.now(UTC) + timedelta(seconds=offset):%H:%M}"


def test_what_was_asked_within_quiet_hours_is_told_once_when_they_are_over(
    scene: Scene, desk: Deployment, inbox: Inbox, channel: Channel
) -> None:
    approval = asked(scene, hours_ago=8, hours_left=160, tell_at=int(time.time()))
    quiet = [replace(APPS[0], quiet_hours=f"{clock(-3600)}-{clock(3600)}")]
    assert remind(quiet, desk, time.time()).told == ()
    assert inbox() == []

    assert remind(APPS, desk, time.time()).told == (approval.incident_id,)
    assert remind(APPS, desk, time.time()).told == ()

    (message,) = inbox()
    assert message["Subject"].startswith("[orders] Approve a fix?")
    assert message["MessageAttributes"]["kind"]["Value"] == "question"
    token = message["Message"].partition("?t=")[2].split()[0]
    assert links.verify(token, approval.approval_id, scene.keys, time.time()).recipient == "team"
    assert all("orders: approve a fix?" in text for text in channel.texts)
    for part in (
        "It was proposed within your quiet hours.",
        "Proposed fix: Refuse unknown countries with a clear error",
        "+        raise UnknownCountry(country)",
        "Without the page: selfheal approve orders-v1-abc",
    ):
        assert part in message["Message"], "all that is told by day"


def test_where_nobody_has_a_mailbox_the_team_is_told_how_it_is_decided(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    arn = "arn:aws:iam::123456789012:role/on-call"
    asked(scene, hours_ago=8, hours_left=160, tell_at=int(time.time()), approvers=(arn,))
    remind(APPS, desk, time.time())
    (message,) = inbox()
    assert "they decide in Slack or with the command below" in " ".join(message["Message"].split())
    assert "selfheal approve orders-v1-abc" in message["Message"]
    assert "?t=" not in message["Message"]


def test_a_reminder_waits_for_the_end_of_quiet_hours_if_there_is_time(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    approval = asked(scene, hours_ago=90, hours_left=10)
    app, now = APPS[0], time.time()
    long, short = (replace(app, quiet_hours=f"{clock(-3600)}-{clock(h * 3600)}") for h in (8, 3))
    assert remind([short], desk, now).reminded == ()
    assert remind([long], desk, now).reminded == (approval.incident_id,), "too little would be left"
    assert len(inbox()) == 1


def test_what_was_decided_within_quiet_hours_is_told_to_nobody(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    approval = asked(scene, hours_ago=8, hours_left=160, tell_at=int(time.time()))
    scene.approvals.supersede(approval.approval_id)
    assert remind(APPS, desk, time.time()).told == ()
    assert inbox() == []
