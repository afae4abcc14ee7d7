"""Deciding through the page: showing decides nothing, deciding needs the page, and is followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import boto3
import pytest

from functions.core.approval import links
from functions.core.approval.approvals import ApprovalStatus
from functions.core.approval.links import Link
from functions.core.incidents.incident import Status
from functions.core.workflow.history import Visit
from functions.decide_approval import timeline
from functions.decide_approval.handler import handler

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_the_page_decides_nothing_however_often(scene: Scene, browser: Browser, method: str) -> None:
    approval = scene.approval()
    for _ in range(3):
        assert browser.request(method, browser.link(approval)).status == 200
    assert scene.approvals.get(approval.approval_id) == approval
    assert scene.workflow.received == []


@pytest.mark.parametrize(
    ("decision", "fields", "title"),
    [
        ("approve", {"comment": "Good."}, "You approved the patch"),
        ("revise", {"comment": "Shorter, please."}, "You asked for changes"),
        ("reject", {"reason": "wrong_fix", "comment": ""}, "You rejected the patch"),
    ],
)
def test_a_decision_is_recorded_under_the_recipient_and_followed(
    scene: Scene, browser: Browser, decision: str, fields: dict[str, str], title: str
) -> None:
    approval = scene.approval()
    link = browser.link(approval, "ana@example.com")
    answer = browser.decide(link, decision, **fields)
    row = scene.kept(approval.approval_id)
    assert answer.status == 303
    assert (row.status, row.by, row.via) == (ApprovalStatus.DELIVERED, "ana@example.com", "link")
    assert (row.source_ip, row.comment) == ("203.0.113.9", fields["comment"])
    assert [received["decision"] for received in scene.workflow.received] == [decision]
    followed = browser.follow(answer, link)
    assert (followed.status, title in followed.text) == (200, True)
    # With an address, and without what it may carry behind `#`: else browsers only scroll.
    token = urlsplit(answer.headers["location"]).query
    assert followed.headers["refresh"] == f"2; url=?{token}"


def test_a_decision_whose_delivery_was_not_noted_is_found_in_the_history(
    scene: Scene, browser: Browser
) -> None:
    approval = scene.approval()
    link = browser.link(approval)
    scene.workflow.die_after_next = True
    assert browser.decide(link, "approve").status == 500
    assert "decided" in browser.get(link).text
    assert scene.kept(approval.approval_id).status is ApprovalStatus.DELIVERED
    assert len(scene.workflow.received) == 1


def test_the_key_of_links_is_read_where_it_is_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, lambda_context: LambdaContext
) -> None:
    key = "a-link-key-of-at-least-thirty-two-characters"
    boto3.client("ssm").put_parameter(Name="/self-heal/link-key", Value=key, Type="SecureString")
    for name, value in {
        "APPROVALS_TABLE": "approvals",
        "INCIDENTS_TABLE": "incidents",
        "ARTIFACTS_BUCKET": "artifacts",
        "LINK_KEY_PARAMETER": "/self-heal/link-key",
        "IDENTITY_FROM": "link",
    }.items():
        monkeypatch.setenv(name, value)
    approval = scene.approval()
    link = urlsplit(links.url("/", Link(approval.approval_id, "ana", approval.expires_at), key.encode()))
    event = {
        "rawPath": link.path,
        "rawQueryString": link.query,
        "queryStringParameters": {"t": link.query.partition("=")[2]},
        "requestContext": {"http": {"method": "GET", "path": link.path}, "stage": "$default"},
    }
    assert handler(event, lambda_context)["statusCode"] == 200


def test_the_progress_page_shows_the_states_with_their_times(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval(time_zone="Europe/Berlin"))
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    scene.workflow.visits = [
        Visit("FetchSource", "Task", at, at + timedelta(seconds=2), tries=2),
        Visit("IsProposed", "Choice", at, at),
        Visit("AwaitApproval", "Task", at + timedelta(seconds=2), at + timedelta(hours=2)),
        Visit("CommitPatch", "Task", at + timedelta(hours=2)),
    ]
    followed = browser.follow(browser.decide(link, "approve"), link)
    for words in (
        "Fetch the source tried 2 times 13:00:00 CET 2.0 s",
        "Wait for a decision 13:00:02 CET 1 h 59 min",
        "Commit the approved bytes under way 15:00:00 CET",
    ):
        assert words in followed.text
    bars = [dict(a) for tag, a in followed.elements.tags if tag == "rect"]
    assert [bar["class"] for bar in bars] == ["done", "waited", "running"]
    assert max(float(bar["x"] or 0) + float(bar["width"] or 0) for bar in bars) <= timeline.WIDTH


def test_the_progress_page_arrives_at_the_pull_request(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval())
    answer = browser.decide(link, "approve")
    url = "https://github.com/shop/orders/pull/7"
    scene.incidents.transition(
        "orders-v1-abc", Status.HEALING, status="PR_OPEN", pull_request_url=url, branch="self-heal/x"
    )
    followed = browser.follow(answer, link)
    assert url in followed.body
    assert "Noticed when the forge tells of it" in followed.text
    assert "refresh" in followed.headers
    scene.incidents.transition("orders-v1-abc", Status.PR_OPEN, status="MERGED")
    followed = browser.follow(answer, link)
    assert "It is merged" in followed.text
    assert "refresh" not in followed.headers


def test_the_progress_page_can_be_told_to_stand_still(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval())
    answer = browser.decide(link, "approve")
    followed = browser.follow(answer, link)
    stop = next(
        a["href"] for tag, a in followed.elements.tags if tag == "a" and "still=1" in (a["href"] or "")
    )
    standing = browser.get(urljoin(urljoin(link, answer.headers["location"]), stop))
    assert standing.status == 200
    assert "refresh" not in standing.headers
    assert "You approved the patch" in standing.text


def test_a_second_decision_is_told_what_was_decided_and_by_whom(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    ana, ben = browser.link(approval, "ana"), browser.link(approval, "ben")
    bens_page = browser.get(ben)
    browser.decide(ana, "approve")
    answer = browser.post(
        ben, {"form": bens_page.forms["reject"], "decision": "reject", "reason": "wrong_fix"}
    )
    assert answer.status == 409
    assert "approved by ana" in answer.text
    assert answer.says_nothing
    assert len(scene.workflow.received) == 1


def test_a_double_click_leads_to_the_same_page_and_one_decision(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval())
    fields = {"form": browser.get(link).forms["approve"], "decision": "approve"}
    assert [browser.post(link, fields).status for _ in range(2)] == [303, 303]
    assert len(scene.workflow.received) == 1


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"form": ""}, {}, 403),
        ({"form": "1.x.y"}, {}, 403),
        ({"form": "THE LINK'S OWN TOKEN"}, {}, 403),
        ({}, {"sec-fetch-site": "cross-site"}, 403),
        ({}, {"sec-fetch-site": "same-site"}, 403),
        ({"decision": ""}, {}, 400),
        ({"decision": "merge"}, {}, 400),
    ],
)
def test_a_decision_needs_the_form_of_the_page(
    scene: Scene, browser: Browser, change: dict[str, str], headers: dict[str, str], status: int
) -> None:
    approval = scene.approval()
    link = browser.link(approval)
    fields = {"form": browser.get(link).forms["approve"], "decision": "approve", **change}
    if "OWN" in fields["form"]:
        fields["form"] = link.partition("?t=")[2]
    answer = browser.post(link, fields, headers)
    assert (answer.status, answer.says_nothing) == (status, True)
    assert scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


def test_a_form_of_one_recipient_is_worthless_in_the_hands_of_another(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    ana, ben = browser.link(approval, "ana"), browser.link(approval, "ben")
    form = browser.get(ana).forms["approve"]
    assert browser.post(ben, {"form": form, "decision": "approve"}).status == 403
    assert scene.workflow.received == []


@pytest.mark.parametrize(
    ("decision", "fields", "message"),
    [
        ("revise", {"comment": " "}, "Say what should change"),
        ("reject", {"comment": "kept words"}, "Choose why you reject"),
        ("reject", {"reason": "other"}, "in a few words"),
        ("approve", {"comment": "x" * 4_001}, "longer than 4,000"),
    ],
)
def test_an_incomplete_decision_comes_back_with_what_was_typed(
    scene: Scene, browser: Browser, decision: str, fields: dict[str, str], message: str
) -> None:
    approval = scene.approval()
    answer = browser.decide(browser.link(approval), decision, **fields)
    assert answer.status == 422
    assert answer.text.count(message) == 2, (
        "at the form, and above, from where a phone does not show the form"
    )
    assert fields.get("comment", "").strip() in answer.body
    assert scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


@pytest.mark.parametrize("body", [b"\xff\xfe=%ff", b"&" * 100, b"a=b&" * 50, b"comment=" + b"x" * 70_000])
def test_a_broken_form_is_refused(scene: Scene, browser: Browser, body: bytes) -> None:
    assert browser.request("POST", browser.link(scene.approval()), body).status in (400, 403)
    assert scene.workflow.received == []


def test_a_decision_that_aws_lost_is_delivered_when_the_link_is_opened(
    scene: Scene, browser: Browser
) -> None:
    link = browser.link(scene.approval(), "ana")
    fields = {"form": browser.get(link).forms["approve"], "decision": "approve"}
    scene.workflow.fail_next.append("ThrottlingException")
    assert browser.post(link, fields).status == 500
    assert browser.get(link).status == 410
    assert [received["by"] for received in scene.workflow.received] == ["ana"]
