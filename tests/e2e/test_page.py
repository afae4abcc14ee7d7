"""The approval page on the embedded run: from the notification's link to the pull request, over HTTP."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.incident import Status

if TYPE_CHECKING:
    from functions.core.app import App
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


@pytest.fixture
def inbox(world: World) -> Iterator[Any]:
    """Reads what an approver is sent about an incident."""
    queues, topics = world.client("sqs"), world.client("sns")
    url = queues.create_queue(QueueName="page-inbox")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = world.target.output("TopicArn")
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    kept: list[str] = []

    def read(incident_id: str) -> str | None:
        for message in queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            kept.append(json.loads(message["Body"])["Message"])
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        mine = [text for text in kept if f"Incident {incident_id}" in text and "?t=" in text]
        return mine[-1] if mine else None

    yield read
    topics.unsubscribe(SubscriptionArn=subscription)
    queues.delete_queue(QueueUrl=url)


def link_for(world: World, inbox: Any, app: App) -> str:
    """The link in the message about the app's one incident, once it arrives."""

    def look() -> str | None:
        waiting = [i for i in world.incidents(app) if i.status is Status.AWAITING_APPROVAL]
        text = inbox(waiting[0].incident_id) if waiting else None
        found = re.search(r"https?://\S+\?t=\S+", text or "")
        return found[0] if found else None

    return world.eventually(look, lambda: f"no link was sent for {app.name}: {world.incidents(app)}")


def fetch(address: str, fields: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, text and final address (redirects followed, as browsers do)."""
    data = urllib.parse.urlencode(fields).encode() if fields is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data), timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.url
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), address


def submit(link: str, decision: str, **fields: str) -> tuple[int, str, str]:
    """Open the page, fill in the form of the decision, and submit it."""
    status, page, _ = fetch(link)
    assert status == 200, page
    forms = re.findall(
        r'name="form" value="([^"]+)">\s*<input type="hidden" name="decision" value="(\w+)"', page
    )
    token = {name: unescape(value) for value, name in forms}[decision]
    return fetch(link, {"form": token, "decision": decision, **fields})


def test_approving_on_the_page_leads_to_the_pull_request(world: World, inbox: Any) -> None:
    app = world.app()
    world.log(app)
    link = link_for(world, inbox, app)
    status, page, _ = fetch(link)
    assert (status, "KeyError" in page, "RATES" in page) == (200, True, True)
    sheet = re.search(r'href="([^"]+style\.css[^"]*)"', page)
    assert sheet
    assert fetch(urllib.parse.urljoin(link, unescape(sheet[1])))[0] == 200

    status, followed, address = submit(link, "approve", comment="Good.")

    assert (status, "You approved the patch" in followed) == (200, True)
    incident = world.until(app, Status.PR_OPEN)
    assert incident.pull_request_url in fetch(address)[1]
    approval = world.approval(incident)
    assert (approval.by, approval.via, approval.comment) == ("team", "link", "Good.")
    assert (fetch(link)[0], submit_again(link)) == (410, 403)


def submit_again(link: str) -> int:
    return fetch(link, {"form": "", "decision": "reject"})[0]


def test_asking_for_changes_on_the_page_is_followed_to_what_comes_of_it(world: World, inbox: Any) -> None:
    app = world.app()
    world.log(app)
    link = link_for(world, inbox, app)
    # The repair model has one repair for this crash, so that nothing is left after it was sent back.
    status, _, address = submit(link, "revise", comment="Please repair it differently.")
    assert status == 200
    world.until(app, Status.ABSTAINED)
    page = fetch(address)[1]
    assert "You asked for changes" in page
    assert "No proposal could be proven" in page
    status, closed, _ = fetch(link)
    assert (status, "sent back for changes by team" in closed, "KeyError" in closed) == (410, True, False)


def test_rejecting_on_the_page_ends_the_heal_with_the_reason(world: World, inbox: Any) -> None:
    app = world.app()
    world.log(app)
    status, page, _ = submit(link_for(world, inbox, app), "reject", reason="by_hand", comment="On it.")
    assert (status, "You rejected the patch" in page) == (200, True)
    assert "We will fix it by hand (On it.)" in world.until(app, Status.REJECTED).reason
