"""Buttons in Slack: the page's rules hold for clicks, and the channel reads what became of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.core.approval.announcement import Fix, Page, announce
from functions.core.approval.approvals import Approval, ApprovalStatus, Verdict
from functions.core.approval.decisions import Decision, Standing
from functions.core.apps.app import App
from functions.core.aws.console import Console
from functions.core.notify.slack import Ticket
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.evidence import Evidence
from functions.decide_approval.slack_reply import Replies, settled
from functions.decide_approval.slack_request import Click
from tests.fakes.channel import Channel
from tests.fakes.slack import SECRET, block, payload, signed

if TYPE_CHECKING:
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser

ANA, BEN, MAIL = "slack:U012AB3CD", "slack:U0BEN0BEN", "ana@shop.example"
PAGE = "https://page.example/"


class Team:
    """A Slack channel with an app's messages, and the people who click in it."""

    def __init__(self, scene: Scene, channel: Channel, webhooks: Webhooks, browser: Browser) -> None:
        self.scene, self.channel, self._webhooks, self.browser = scene, channel, webhooks, browser
        boto3.client("ssm").put_parameter(
            Name="/self-heal/slack-signing/orders", Value=f"{SECRET}\n", Type="SecureString"
        )

    def asked(self, approval: Approval) -> dict[str, Any]:
        """The message of a question, as the channel got it."""
        app = App("orders", ("/g",), "https://github.com/shop/orders.git", slack_buttons=True)
        post = announce(
            approval,
            self.scene.incidents.get(approval.incident_id),
            Fix("Refuse unknown countries", "RATES lacks some.", 0.86),
            Evidence.from_json(self.scene.artifacts.get_json(approval.evidence_key)),
            app=app,
            patch=self.scene.artifacts.get(approval.patch_key),
            page=Page(PAGE, self.scene.keys[0], Console()),
            headline="orders: approve a fix? KeyError: 'NZ'",
        )
        self._webhooks.post("orders", post)
        (message,) = [posted for posted in self.channel.posted if "blocks" in posted]
        self.channel.posted.clear()
        return message

    def click(self, message: dict[str, Any], action: str, reason: str = "", **more: Any) -> dict[str, Any]:
        """What the channel is told after a click; empty for nothing."""
        request = signed(
            payload(message, action, reason, **{"response_url": f"{self.channel.url}/answer", **more})
        )
        answer = self.browser.request("POST", "/slack", request.body, request.headers)
        assert (answer.status, answer.body) == (200, "")
        return self.channel.posted.pop() if self.channel.posted else {}


@pytest.fixture
def team(scene: Scene, channel: Channel, webhooks: Webhooks, browser_with: Callable[..., Any]) -> Team:
    return Team(scene, channel, webhooks, browser_with(slack=channel.url.rpartition("/services")[0]))


def texts(message: dict[str, Any]) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


def test_the_buttons_name_the_bytes_and_carry_nothing_secret(team: Team) -> None:
    approval = team.scene.approval()
    buttons = block(team.asked(approval))
    approve, reject, changes, page = buttons["elements"]
    confirm = approve["confirm"]["text"]["text"]
    assert "1 file" in confirm
    assert approval.patch_sha256[:16] in confirm
    reasons = [option["value"] for option in reject["options"]]
    assert reasons == ["wrong_cause", "wrong_fix", "hides_error", "too_risky", "by_hand", "not_a_bug"]
    assert (changes["url"], page["url"]) == (f"{page['url']}#decide", page["url"])
    assert page["url"].startswith(f"{PAGE}a/{approval.approval_id}?t=")
    assert "task-token" not in json.dumps(buttons)


def test_the_buttons_stay_within_slacks_limits(team: Team) -> None:
    elements = block(team.asked(team.scene.approval()))["elements"]
    assert len({element["action_id"] for element in elements}) == len(elements) <= 25
    for element in elements:
        confirm = element.get("confirm", {})
        assert len(element.get("text", {}).get("text", "")) <= 75
        assert max((len(option["text"]["text"]) for option in element.get("options", ())), default=0) <= 75
        limits = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
        assert not [name for name, most in limits.items() if confirm and len(confirm[name]["text"]) > most]


@pytest.mark.parametrize(
    ("approvers", "expected"),
    [((), ["approve", "reject", "open_to_revise", "open"]), ((ANA, MAIL), ["approve", "reject", "my_page"])],
    ids=["anybody", "named"],
)
def test_only_where_anybody_may_decide_the_message_holds_a_link_that_does(
    team: Team, approvers: tuple[str, ...], expected: list[str]
) -> None:
    message = team.asked(team.scene.approval(approvers=approvers))
    assert [element["action_id"] for element in block(message)["elements"]] == expected
    assert ("/a/" in texts(message)) is not bool(approvers)


def test_where_nobody_in_slack_may_decide_there_are_no_buttons(team: Team) -> None:
    assert "actions" not in texts(team.asked(team.scene.approval(approvers=(MAIL,))))


def test_an_approval_is_recorded_as_the_slack_user_and_told_in_place_of_the_buttons(team: Team) -> None:
    approval = team.scene.approval()
    told = team.click(team.asked(approval), "approve")
    row = team.scene.kept(approval.approval_id)
    assert (row.status, row.decision, row.via) == (ApprovalStatus.DELIVERED, "approve", "slack")
    assert row.by == "slack:U012AB3CD (ana)"
    assert row.decided_at
    (received,) = team.scene.workflow.received
    assert (received["by"], received["patch_sha256"]) == (row.by, approval.patch_sha256)
    assert told["replace_original"] is True
    assert "actions" not in texts(told)
    assert "KeyError: 'NZ'" in texts(told), "the message still says what it was about"
    assert "<@U012AB3CD> approved the patch" in texts(told)


def test_a_rejection_carries_its_reason(team: Team) -> None:
    approval = team.scene.approval()
    told = team.click(team.asked(approval), "reject", "hides_error")
    assert team.scene.kept(approval.approval_id).reason == "hides_error"
    assert "<@U012AB3CD> rejected the patch: It hides the error" in texts(told)


def test_a_rejection_without_a_usable_reason_decides_nothing(team: Team) -> None:
    approval = team.scene.approval()
    message = team.asked(approval)
    for reason in ("", "other", "made_up"):
        told = team.click(message, "reject", reason)
        assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
    assert team.scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


def test_the_same_request_again_decides_and_changes_nothing(team: Team) -> None:
    message = team.asked(team.scene.approval())
    first, again = team.click(message, "approve"), team.click(message, "approve")
    assert first == again
    assert len(team.scene.workflow.received) == 1


def test_who_comes_second_is_told_what_was_decided_and_by_whom(team: Team) -> None:
    approval = team.scene.approval()
    message = team.asked(approval)
    team.scene.decisions.decide(approval.approval_id, Decision(Verdict.REJECT, MAIL, reason="by_hand"))
    told = team.click(message, "approve")
    assert f"{MAIL} rejected the patch: We will fix it by hand" in texts(told)
    assert [received["decision"] for received in team.scene.workflow.received] == ["reject"]


@pytest.mark.parametrize(
    ("move", "words"),
    [("supersede", "asked again"), ("expire", "Nobody decided in time"), ("delete", "no longer exists")],
)
def test_what_is_over_is_said_and_its_buttons_go(team: Team, move: str, words: str) -> None:
    approval = team.scene.approval()
    message = team.asked(approval)
    if move == "delete":
        team.scene.approvals._table.delete_item(Key={"approval_id": approval.approval_id})
    else:
        getattr(team.scene.approvals, move)(approval.approval_id)
    for action in ("approve", "my_page"):
        told = team.click(message, action)
        assert words in texts(told)
        assert "actions" not in texts(told)
    assert team.scene.workflow.received == []


def test_who_is_no_approver_is_told_alone_and_decides_nothing(team: Team) -> None:
    approval = team.scene.approval(approvers=(ANA,))
    message = team.asked(approval)
    for action in ("approve", "my_page"):
        told = team.click(message, action, user="U0STRANGER")
        assert told["response_type"] == "ephemeral"
        assert "not among this app's approvers" in told["text"]
    assert team.scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


def test_two_people_approve_in_two_channels_and_the_buttons_stay_for_the_second(team: Team) -> None:
    approval = team.scene.approval(approvers=(ANA, MAIL), approvals_needed=2)
    message = team.asked(approval)
    told = team.click(message, "approve")
    assert "<@U012AB3CD> approved the patch. Another person must" in texts(told)
    assert block(told) == block(message)
    assert team.click({**message, "blocks": told["blocks"]}, "approve") == told, "the same person again"
    assert team.scene.workflow.received == []
    assert team.browser.decide(team.browser.link(approval, MAIL), "approve").status == 303
    assert team.scene.workflow.received[0]["by"] == f"{ANA} (ana) and {MAIL}"


def test_who_asked_for_a_change_by_their_link_is_not_enough_alone_in_slack(team: Team) -> None:
    approval = team.scene.approval(approvers=(ANA, BEN), change_authors=(ANA.casefold(),))
    message = team.asked(approval)
    assert "Another person must approve" in texts(team.click(message, "approve"))
    assert "<@U012AB3CD> and <@U0BEN0BEN>" in texts(
        team.click(message, "approve", user="U0BEN0BEN", name="ben")
    )


def test_a_named_slack_user_gets_a_link_that_only_they_see_and_that_records_them(team: Team) -> None:
    approval = team.scene.approval(approvers=(ANA,), page=PAGE)
    told = team.click(team.asked(approval), "my_page")
    assert told["response_type"] == "ephemeral"
    address = told["text"].partition("<")[2].partition("|")[0]
    assert address.startswith(PAGE)
    link = address.removeprefix(PAGE.removesuffix("/"))
    assert f"Recorded as {ANA}" in team.browser.get(link).text
    assert team.browser.decide(link, "revise", comment="Shorter, please.").status == 303
    assert team.scene.workflow.received[0]["by"] == ANA


def test_a_click_on_a_link_decides_and_says_nothing(team: Team) -> None:
    approval = team.scene.approval()
    assert team.click(team.asked(approval), "open_to_revise") == {}
    assert team.scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


def test_too_many_tries_close_the_question_to_clicks(team: Team) -> None:
    approval = team.scene.approval()
    message = team.asked(approval)
    team.scene.approvals._table.update_item(
        Key={"approval_id": approval.approval_id},
        UpdateExpression="SET tries = :many",
        ExpressionAttributeValues={":many": 100},
    )
    assert "too many tries" in team.click(message, "approve")["text"]
    assert team.scene.workflow.received == []


def test_a_ticket_whose_approval_is_about_other_bytes_decides_nothing(team: Team) -> None:
    approval = team.scene.approval()
    message = team.asked(approval)
    team.scene.approvals._table.update_item(
        Key={"approval_id": approval.approval_id},
        UpdateExpression="SET patch_sha256 = :other",
        ExpressionAttributeValues={":other": "c" * 64},
    )
    assert "does not show the patch" in team.click(message, "approve")["text"]
    assert team.scene.workflow.received == []


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.slack.com.attacker.example/x",
        "https://hooks.slack.com@attacker.example/x",
        "https://hooks.slack.com:8443/x",
        "http://hooks.slack.com/x",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
def test_nothing_but_slack_is_answered(address: str, caplog: pytest.LogCaptureFixture) -> None:
    click = Click(Ticket("orders", "id", "a" * 64), ANA, "approve", "", address, {})
    with caplog.at_level(logging.WARNING):
        assert not Replies().send(click, {})
    assert "answering address is not Slack's" in caplog.text


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refused_answer_is_said_without_its_address(
    channel: Channel, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    channel.status = status
    click = Click(Ticket("orders", "id", "a" * 64), ANA, "approve", "", f"{channel.url}/answer", {})
    with caplog.at_level(logging.WARNING):
        assert not Replies(channel.url.rpartition("/services")[0]).send(click, {})
    assert len(channel.posted) == 1, "neither followed nor repeated"
    assert "secret-part" not in caplog.text


@pytest.mark.parametrize(
    "message", [{}, {"blocks": None}, {"blocks": 7}, {"blocks": ["x", {"type": "image"}]}]
)
def test_of_a_strange_message_only_what_was_decided_is_left(message: dict[str, Any]) -> None:
    click = Click(Ticket("orders", "id", "a" * 64), ANA, "approve", "", "", message)
    (block,) = settled(click, Standing.SUPERSEDED, None)["blocks"]
    assert "asked again" in block["text"]["text"]


def test_an_answer_that_fails_does_not_undo_the_decision(team: Team) -> None:
    approval = team.scene.approval()
    message = team.asked(approval)
    assert team.click(message, "approve", response_url="https://elsewhere.example/") == {}
    assert team.scene.kept(approval.approval_id).status is ApprovalStatus.DELIVERED


def test_a_forged_click_is_refused_and_told_nothing(team: Team) -> None:
    approval = team.scene.approval()
    request = signed(payload(team.asked(approval), "approve"), secret="guessed")
    answer = team.browser.request("POST", "/slack", request.body, request.headers)
    assert (answer.status, answer.body) == (403, "Nothing was decided.")
    assert answer.headers["cache-control"] == "no-store"
    assert team.scene.kept(approval.approval_id).status is ApprovalStatus.PENDING
    assert team.channel.posted == []


def test_what_aws_lost_is_delivered_by_the_next_click(team: Team) -> None:
    message = team.asked(team.scene.approval())
    team.scene.workflow.fail_next.append("ThrottlingException")
    request = signed(payload(message, "approve"))
    assert team.browser.request("POST", "/slack", request.body, request.headers).status == 500
    team.click(message, "approve")
    assert [received["decision"] for received in team.scene.workflow.received] == ["approve"]
