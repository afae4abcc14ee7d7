"""The approval page on the embedded run: from the notification's link to the pull request, over HTTP."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from pytest_httpserver import HTTPServer

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Incident, Status
from infra.registration import AppSecrets, register
from tests.e2e.conftest import TOKEN
from tests.fakes.channel import receiving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


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


def test_approving_on_the_page_leads_to_the_pull_request(world: World, link_for: Callable[..., str]) -> None:
    app = world.app()
    world.log(app)
    link = link_for(app)
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


def test_asking_for_changes_on_the_page_is_followed_to_what_comes_of_it(
    world: World, link_for: Callable[..., str]
) -> None:
    app = world.app()
    world.log(app)
    link = link_for(app)
    before = world.approval(world.until(app, Status.AWAITING_APPROVAL))
    # The repair model has one repair for this crash: nothing is better than what was sent back.
    status, _, address = submit(link, "revise", comment="Please repair it differently.")
    assert status == 200
    again = link_for(app, after=before.approval_id)
    page = fetch(address)[1]
    assert "You asked for changes" in page
    assert "Nothing better could be proven" in page
    assert "The patch from before waits again" in page
    assert "See what waits for you" in page
    status, asked = fetch(again)[:2]
    assert (status, "nothing better could be proven" in asked) == (200, True)
    after = world.approval(world.until(app, Status.AWAITING_APPROVAL))
    assert after.patch_sha256 == before.patch_sha256
    status, closed, _ = fetch(link)
    assert (status, "sent back for changes by team" in closed, "KeyError" in closed) == (410, True, False)


def test_rejecting_on_the_page_ends_the_heal_with_the_reason(
    world: World, link_for: Callable[..., str]
) -> None:
    app = world.app()
    world.log(app)
    status, page, _ = submit(link_for(app), "reject", reason="by_hand", comment="On it.")
    assert (status, "You rejected the patch" in page) == (200, True)
    assert "We will fix it by hand (On it.)" in world.until(app, Status.REJECTED).reason


def test_a_channel_is_told_with_the_link_that_decides(world: World, httpserver: HTTPServer) -> None:
    channel = receiving(httpserver)
    app = world.app()
    register(world.target, app, AppSecrets(TOKEN, channel.webhooks))
    world.log(app)
    world.eventually(lambda: len(channel.posted) == 2 or None, lambda: str(channel.posted))
    incident = world.until(app, Status.AWAITING_APPROVAL)
    for text in channel.texts:
        check_question(world, incident, text)
    world.decide(incident, Verdict.REJECT, reason="by_hand")
    world.eventually(lambda: len(channel.posted) == 4 or None, lambda: str(channel.posted))
    for text in channel.texts[2:]:
        assert "We will fix it by hand" in text


def check_question(world: World, incident: Incident, text: str) -> None:
    assert "KeyError" in text
    assert "Confidence" in text
    assert not any(secret in text for secret in ("Traceback", "RATES.get")), "neither log nor patch"
    link = re.search(rf"{world.target.output('ApprovalUrl')}a/{incident.approval_id}\?t=[\w.-]+", text)
    assert link
    assert fetch(link[0])[0] == 200


def test_who_has_not_decided_is_reminded_before_the_time_is_over(
    world: World, link_for: Callable[..., str]
) -> None:
    app = world.app()
    world.log(app)
    link_for(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    table = world.target.session.resource("dynamodb").Table(world.target.output("ApprovalsTable"))
    table.update_item(
        Key={"approval_id": incident.approval_id},
        UpdateExpression="SET created_at = :long_ago",
        ExpressionAttributeValues={":long_ago": (datetime.now(UTC) - timedelta(days=60)).isoformat()},
    )
    reminded = []
    for _ in range(2):
        answer = world.client("lambda").invoke(FunctionName="self-heal-remind-approvers:live", Payload=b"{}")
        reminded.append(incident.incident_id in json.loads(answer["Payload"].read())["reminded"])
    assert reminded == [True, False]
    sent = link_for(app, count=2)
    assert fetch(sent)[0] == 200
