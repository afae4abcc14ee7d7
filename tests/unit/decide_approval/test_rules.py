"""Who may decide through a link, and what the first of two approvers and too eager ones are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser

ANA, BEN = "ana@shop.example", "ben@shop.example"


def test_a_link_whose_recipient_is_no_approver_shows_and_decides_nothing(
    scene: Scene, browser: Browser
) -> None:
    address = browser.link(scene.approval(approvers=(ANA,)), BEN)
    shown = browser.get(address)
    assert (shown.status, "not among the approvers" in shown.text) == (403, True)
    assert "KeyError" not in shown.body
    assert ANA not in shown.body


def test_two_people_approve_each_with_their_own_link(scene: Scene, browser: Browser) -> None:
    approval = scene.approval(approvers=(ANA, BEN), approvals_needed=2)
    first, second = browser.link(approval, ANA), browser.link(approval, BEN)
    assert "Another person must approve as well" in browser.get(first).text
    told = browser.decide(first, "approve", comment="Looks right.")
    assert (told.status, "Another person must approve it as well" in told.text) == (200, True)
    assert "You approved the patch" in browser.get(first).text
    assert scene.workflow.received == []
    page = browser.get(second)
    assert f"{ANA} has approved this patch" in page.text
    assert "Looks right." in page.text
    assert browser.decide(second, "approve").status == 303
    assert scene.workflow.received[0]["by"] == f"{ANA} and {BEN}"
    assert f"approved by {ANA} and {BEN}" in browser.get(first).text


def test_a_link_that_was_tried_too_often_decides_no_more(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    address = browser.link(approval)
    form = browser.get(address).forms["reject"]
    incomplete = {"form": form, "decision": "reject"}
    statuses = [browser.post(address, incomplete).status for _ in range(101)]
    assert statuses == [422] * 100 + [429]
    assert browser.decide(address, "approve").status == 429
    assert scene.workflow.received == []
