"""Links that open nothing (any more) have clear pages, which say nothing about the incident."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from functions.core.incidents.incident import Status

if TYPE_CHECKING:
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser


def test_a_used_link_says_what_was_decided_and_nothing_about_the_incident(
    scene: Scene, browser: Browser
) -> None:
    link = browser.link(scene.approval(), "ana")
    browser.decide(link, "reject", reason="not_a_bug")
    answer = browser.get(link)
    assert answer.status == 410
    assert "rejected by ana" in answer.text
    assert "<time datetime=" in answer.body and "&lt;" not in answer.body
    assert answer.says_nothing
    assert list(answer.ways) == ["What became of it", "What waits for you"]
    assert "You rejected the patch" in browser.get(urljoin(link, answer.ways["What became of it"])).text
    assert "Nothing waits for you" in browser.get(urljoin(link, answer.ways["What waits for you"])).text


def test_a_link_that_approved_leads_to_the_pull_request(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval(), "ana")
    browser.decide(link, "approve")
    pull = "https://github.com/shop/orders/pull/7"
    scene.incidents.transition("orders-v1-abc", Status.HEALING, status="PR_OPEN", pull_request_url=pull)
    assert browser.get(link).ways["Open the pull request"] == pull
    scene.incidents.transition("orders-v1-abc", Status.PR_OPEN, pull_request_url="javascript:alert(1)")
    assert list(browser.get(link).ways) == ["What became of it", "What waits for you"]


def test_dead_links_have_pages_of_their_own(scene: Scene, browser: Browser) -> None:
    approval = scene.approval(1)
    good, other = browser.link(approval), scene.approval(2)
    superseded = scene.approval(3)
    scene.approvals.supersede(superseded.approval_id)
    timed_out = scene.approval(4, expires_at=int(time.time()) - 1)
    base, token = good.split("?t=")
    cases = {
        browser.link(approval, expires_at=int(time.time()) - 1): (410, "expired"),
        browser.link(timed_out): (410, "expired"),
        browser.link(superseded): (410, "newer link"),
        f"{base}?t={'A' if token[-2] != 'A' else 'B'}{token[1:]}": (403, "not valid"),
        f"/a/{other.approval_id}?t={token}": (403, "not valid"),
        base: (403, "not valid"),
        f"{base}/progress?t={token}": (403, "not valid"),
        "/": (404, "nothing here"),
        "/nowhere/at/all": (404, "nothing here"),
        "/static/../handler.py": (404, "nothing here"),
        "/static/handler.py": (404, "nothing here"),
    }
    for link, (status, words) in cases.items():
        answer = browser.get(link)
        assert (answer.status, words in answer.text, answer.says_nothing) == (status, True, True), link


def test_the_link_of_an_approval_that_was_deleted_is_gone(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    link = browser.link(approval)
    form = browser.get(link).forms["approve"]
    scene.approvals._table.delete_item(Key={"approval_id": approval.approval_id})
    assert browser.get(link).status == 410
    assert browser.post(link, {"form": form, "decision": "approve"}).status == 410


@pytest.mark.parametrize("decided", [False, True])
def test_every_link_of_an_incident_that_was_renamed_or_deleted_says_so(
    decided: bool, scene: Scene, browser: Browser
) -> None:
    link = browser.link(scene.approval(), "ana")
    pages = [link]
    if decided:
        browser.decide(link, "reject", reason="not_a_bug")
        pages.append(urljoin(link, browser.get(link).ways["What became of it"]))
    scene.incidents._table.delete_item(Key={"incident_id": "orders-v1-abc"})
    for page in pages:
        answer = browser.get(page)
        assert (answer.status, answer.says_nothing) == (410, True), page
        assert "kept elsewhere, or no more" in answer.text


def test_the_link_of_a_heal_that_stopped_says_so(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    scene.incidents.transition("orders-v1-abc", Status.AWAITING_APPROVAL, status="FAILED")
    answer = browser.get(browser.link(approval))
    assert (answer.status, answer.says_nothing) == (410, True)
    assert "has stopped" in answer.text


def test_a_patch_that_is_not_the_proven_one_cannot_be_decided(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    scene.artifacts.put(approval.patch_key, b"something else")
    answer = browser.get(browser.link(approval))
    assert (answer.status, answer.says_nothing) == (409, True)
    assert "What is stored is not what was proven" in answer.text


def test_what_breaks_on_our_side_is_a_page_too(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    scene.artifacts.put(approval.evidence_key, b"not json")
    answer = browser.get(browser.link(approval))
    assert (answer.status, answer.says_nothing) == (500, True)
