"""People at the page, in a real browser: what they see, what they click, what becomes of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from functions.core.approval import links
from functions.core.approval.approvals import ApprovalStatus, Verdict
from functions.core.approval.decisions import Standing
from functions.core.approval.links import Link
from functions.core.incidents.incident import Status
from tests.fakes.scripted_model import tool_call

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World
    from tests.e2e.page.conftest import Watched

pytestmark = pytest.mark.embedded

Someone = Callable[..., "Watched"]
LinkFor = Callable[..., str]

ANOTHER_FIX = {
    "title": "Use the default rate where there is none",
    "root_cause": "RATES has no entry for every country.",
    "explanation": "As days() does.",
    "edits": [
        {
            "path": "rates.py",
            "search": "    return RATES[country]",
            "replace": '    return RATES[country] if country in RATES else RATES["default"]',
        }
    ],
    "confidence": 0.9,
}


def crashed(world: World) -> App:
    app = world.app()
    world.log(app)
    return app


def choose(page: Page, title: str) -> None:
    """Open a choice of the decision panel that is folded."""
    page.locator("summary", has_text=title).click()


@pytest.mark.parametrize("scripts", [True, False], ids=["javascript", "no-javascript"])
def test_approving_is_followed_to_the_pull_request_without_another_click(
    world: World, link_for: LinkFor, someone: Someone, scripts: bool
) -> None:
    app = crashed(world)
    ana = someone(java_script_enabled=scripts, viewport={"width": 390, "height": 844})
    link = link_for(app)
    page = ana.open(link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("KeyError")
    expect(page.locator(".diff").first).to_contain_text("RATES")
    # As on a phone: what is decided with lies below, and its address ends in #decide from then on.
    page.get_by_role("navigation", name="Decide").get_by_role("link", name="Approve").click()
    page.get_by_label("Comment for the pull request").fill("Good.")
    page.get_by_role("button", name="Approve this patch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You approved the patch")
    # The page follows the execution by itself.
    opened = page.get_by_role("link", name="Open the pull request")
    expect(opened).to_be_visible()
    incident = world.until(app, Status.PR_OPEN)
    opened_at = opened.get_attribute("href")
    assert opened_at == incident.pull_request_url
    approval = world.approval(incident)
    assert (approval.status, approval.decision, approval.comment) == ("DELIVERED", "approve", "Good.")
    expect(page.locator(".visits")).to_contain_text("Wait for a decision")
    page.goto(link)
    for name in ("What waits for you", "What became of it"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    assert page.get_by_role("link", name="Open the pull request").get_attribute("href") == opened_at
    assert ana.harmed == []


def test_asking_for_changes_brings_a_second_proposal_that_answers_the_first(
    world: World, link_for: LinkFor, someone: Someone
) -> None:
    app = crashed(world)
    link = link_for(app)
    first = world.until(app, Status.AWAITING_APPROVAL)
    world.model.scripts[app.name] = tool_call("propose_patch", json.dumps(ANOTHER_FIX))
    ana = someone()
    page = ana.open(link)
    choose(page, "Ask for changes")
    page.get_by_label("What should change?").fill("Do it as days() does, please.")
    page.get_by_role("button", name="Ask for changes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You asked for changes")
    second = link_for(app, after=first.approval_id)
    expect(page.get_by_text("A question waits")).to_be_visible()

    page = ana.open(second)  # in a tab of its own: the other one reloads itself
    expect(page.locator(".diff").first).to_contain_text("if country in RATES")
    expect(page.get_by_text("Do it as days() does, please.")).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("This has been decided")
    assert "KeyError" not in page.content()
    page.goto(second)
    page.get_by_role("button", name="Approve this patch").click()
    expect(page.get_by_role("link", name="Open the pull request")).to_be_visible()
    assert ana.harmed == []


def test_rejecting_needs_a_reason_and_ends_the_heal(
    world: World, link_for: LinkFor, someone: Someone
) -> None:
    app = crashed(world)
    page = someone().open(link_for(app))
    choose(page, "Reject")
    page.get_by_role("button", name="Reject this patch").click()
    assert page.locator("#reason:invalid").count() == 1, "the browser asks for the reason"
    page.get_by_label("Why?").select_option("We will fix it by hand")
    page.get_by_role("button", name="Reject this patch").click()
    expect(page.get_by_text("The heal is closed, nothing was pushed")).to_be_visible()
    assert "We will fix it by hand" in world.until(app, Status.REJECTED).reason
    assert world.pulls(app) == []


def test_of_two_browsers_that_click_at_once_one_decides_and_the_other_is_told(
    world: World, link_for: LinkFor, someone: Someone
) -> None:
    app = crashed(world)
    link = link_for(app)
    approving, rejecting = someone().open(link), someone().open(link)
    choose(rejecting, "Reject")
    rejecting.get_by_label("Why?").select_option("other")
    rejecting.locator("#comment-reject").fill("No.")
    for page, name in ((approving, "approve"), (rejecting, "reject")):
        form = page.locator(f"form:has([name=decision][value={name}])")
        form.evaluate("form => { setTimeout(() => form.requestSubmit(), 300) }")
    titles = []
    for page in (approving, rejecting):
        expect(page).not_to_have_title(re.compile("^Approve a fix"))
        titles.append(page.title())
    won = "You approved the patch" in titles
    assert sorted(titles) == sorted(
        ["This has been decided", "You approved the patch" if won else "You rejected the patch"]
    )
    world.until(app, Status.PR_OPEN if won else Status.REJECTED)


def test_two_people_approve_the_second_by_way_of_the_list(
    world: World, links_for: Callable[..., list[str]], someone: Someone
) -> None:
    approvers = ["ana@shop.example", "ben@shop.example"]
    app = world.app(approvers=approvers, approvals_needed=2)
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    of = {approver: f".{links.sign(Link('', approver, 0), b'').split('.')[1]}." for approver in approvers}
    sent = links_for(app, count=2)
    ana, ben = (next(link for link in sent if of[approver] in link) for approver in approvers)

    page = someone().open(ana)
    page.get_by_role("button", name="Approve this patch").click()
    expect(page.get_by_text("Another person must approve it as well")).to_be_visible()
    refused = world.decide(incident, Verdict.APPROVE)
    assert refused.standing is Standing.NOT_ALLOWED, "the operator of the embedded run is no approver"

    page = someone().open(ben)
    expect(page.get_by_role("heading", name="ana@shop.example has approved this patch")).to_be_visible()
    page.get_by_role("link", name="see all").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One decision waits for you")
    page.get_by_role("link", name="Read and decide").click()
    page.get_by_role("button", name="Approve this patch").click()
    expect(page.get_by_role("link", name="Open the pull request")).to_be_visible()
    assert world.approval(incident).deciders == "ana@shop.example and ben@shop.example"
    page.get_by_role("link", name="What else waits for you").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")
    expect(page.get_by_text("Pull request waits for review")).to_be_visible()


def test_a_scanner_that_opens_the_link_decides_nothing(
    world: World, link_for: LinkFor, someone: Someone
) -> None:
    app = crashed(world)
    link = link_for(app)
    scanner = someone()
    for method in ("GET", "HEAD", "GET", "OPTIONS", "PUT", "DELETE"):
        scanner.context.request.fetch(link, method=method)
    # One that runs scripts, follows every link of the page, and waits whether something happens by itself.
    page = scanner.open(link)
    for address in page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)"):
        if address.startswith(scanner.base):
            scanner.open(address)
    page.wait_for_timeout(1_500)
    waiting = world.until(app, Status.AWAITING_APPROVAL)
    assert world.approval(waiting).status is ApprovalStatus.PENDING
    person = someone().open(link)
    person.get_by_role("button", name="Approve this patch").click()
    world.until(app, Status.PR_OPEN)


def test_unusable_links_say_why_and_nothing_about_the_incident(
    world: World, link_for: LinkFor, someone: Someone, signed_link: Callable[[Link], str]
) -> None:
    app = crashed(world)
    link = link_for(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    expired = signed_link(Link(incident.approval_id, "team", int(time.time()) - 1))
    other = link[:-3] + ("AAA" if not link.endswith("AAA") else "BBB")
    world.client("stepfunctions").stop_execution(executionArn=incident.execution_arn, cause="operator")
    stopped = world.until(app, Status.FAILED)
    page = someone().open(link)
    titles = [page.title()]
    world.redrive(stopped)
    newer = link_for(app, after=incident.approval_id)
    for address in (link, expired, other, link.partition("?")[0]):
        page.goto(address)
        titles.append(page.title())
        told = page.locator("body").inner_text()
        assert not any(word in told for word in ("KeyError", "RATES", app.name))
    assert titles == [
        "This heal has stopped",
        "A newer link replaces this one",
        "This link has expired",
        "This link is not valid",
        "This link is not valid",
    ]
    page.goto(newer)
    expect(page.get_by_role("button", name="Approve this patch")).to_be_visible()


def test_a_decision_needs_nothing_but_a_keyboard(world: World, link_for: LinkFor, someone: Someone) -> None:
    app = crashed(world)
    page = someone().open(link_for(app))
    incident = world.until(app, Status.AWAITING_APPROVAL)

    def focused() -> Any:
        return page.evaluate("document.activeElement.innerText || document.activeElement.id")

    page.keyboard.press("Tab")
    assert focused() == "Skip to the decision"
    page.keyboard.press("Enter")
    for _ in range(5):
        page.keyboard.press("Tab")
        if focused() == "Ask for changes":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused() == "comment-revise"
    page.keyboard.type("Please test the default as well.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You asked for changes")
    approval = world.approval(incident)
    assert (approval.decision, approval.comment) == (Verdict.REVISE, "Please test the default as well.")
