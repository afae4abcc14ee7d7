"""Every page, on a phone and on a desktop, light and dark, under axe-core's rules for WCAG and practice."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import Page, expect

from functions.core.approval.links import Link
from functions.core.aws.console import Console
from functions.core.incidents.incident import Status

if TYPE_CHECKING:
    from tests.e2e.conftest import World
    from tests.e2e.page.conftest import Watched

pytestmark = pytest.mark.embedded

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
ANA, BEN, EVE = "ana@shop.example", "ben@shop.example", "eve@shop.example"
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1360, "height": 900}}


def violations(page: Page, schemes: tuple[Literal["light", "dark"], ...] = ()) -> list[str]:
    """What axe-core objects to with everything unfolded, and whether the page must be scrolled sideways.

    schemes: colour schemes to look at the contrast in, beyond the one that the page was opened in; the page
    stays in the last of them.
    """
    page.evaluate(
        "document.querySelectorAll('details').forEach(d => { d.removeAttribute('name'); d.open = true })"
    )
    page.evaluate(AXE)
    found = objections(page, "axe.run()")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {seen}" for seen in objections(page, "axe.run({runOnly: ['color-contrast']})")]
    return [*found, *misfits(page, "100%"), *misfits(page, "200%")]


_WIDE = """() => {
  const { clientWidth, scrollWidth } = document.documentElement
  const ends = element => element.getBoundingClientRect().right > clientWidth
  const wide = scrollWidth > clientWidth ? [...document.querySelectorAll('body *')].filter(ends) : []
  return wide.map(element => element.outerHTML.slice(0, 120))
}"""
"""Where the page must be scrolled sideways: what reaches beyond it."""
_CUT = """() => [...document.querySelectorAll('body *')].filter(element => {
  const style = getComputedStyle(element)
  const box = element.getBoundingClientRect()
  const cut = ['hidden', 'clip'].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1
  return cut && box.width > 1 && box.height > 1 && element.innerText?.trim()
}).map(element => element.outerHTML.slice(0, 120))"""
"""Elements that hide a part of their text, but for what is for screen readers alone."""


def misfits(page: Page, size: str) -> list[str]:
    """What does not fit with the text in this size: the page must not scroll sideways, nor text be cut."""
    page.evaluate("size => { document.documentElement.style.fontSize = size }", size)
    found = [f"text in {size} is cut: {html}" for html in page.evaluate(_CUT)]
    found += [f"text in {size} is wider than the screen: {html}" for html in page.evaluate(_WIDE)]
    page.evaluate("document.documentElement.style.fontSize = ''")
    return found


def objections(page: Page, run: str) -> list[str]:
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in page.evaluate(run)["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("size", SIZES)
def test_no_page_has_a_violation(
    world: World,
    link_for: Callable[..., str],
    someone: Callable[..., Watched],
    size: str,
) -> None:
    both: tuple[Literal["light", "dark"], ...] = ("dark", "light")
    app = world.app()
    world.log(app)
    link = link_for(app)
    found: dict[str, list[str]] = {}
    page = someone(viewport=SIZES[size], color_scheme="light").open(link)
    found["approval"] = violations(page, both)
    for name, address in {"forged": link[:-2], "nowhere": f"{link.partition('/a/')[0]}/nowhere"}.items():
        page.goto(address)
        found[name] = violations(page, both)
    page.goto(link)
    page.get_by_role("link", name="see all").click()
    expect(page.get_by_role("link", name="Read and decide")).to_be_visible()
    found["list"] = violations(page, both)
    page.goto(link)
    page.locator("summary", has_text="Reject").click()
    # Past the browser's own check, as a browser that knows none would go.
    page.locator("#reason").evaluate("field => { field.form.noValidate = true }")
    page.get_by_role("button", name="Reject this patch").click()
    expect(page.get_by_role("alert")).to_have_text("Choose why you reject the patch.")
    found["incomplete"] = violations(page, both)
    restore = world.deny("create_pull_request")
    try:
        page.get_by_role("button", name="Approve this patch").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You approved the patch")
        page.get_by_role("link", name="Stop following").click()
        found["under way"] = violations(page, both)
        failed = world.until(app, Status.FAILED)
    finally:
        restore()
    page.reload()
    expect(page.get_by_role("heading", name="The heal stopped here")).to_be_visible()
    found["failed"] = violations(page, both)
    world.redrive(failed)
    healed = world.until(app, Status.PR_OPEN)
    page.reload()
    expect(page.get_by_role("link", name="Open the pull request")).to_be_visible()
    found["done"] = violations(page, both)
    page.goto(link)
    found["decided"] = violations(page, both)
    page.goto(healed.pull_request_url)
    found["pull request on the embedded forge"] = violations(page, both)
    console = Console(f"{world.run.endpoint}/_console")
    page.goto(console.execution(healed.execution_arn))
    expect(page.get_by_role("heading", level=1)).to_have_text("This execution succeeded")
    found["execution on the embedded AWS"] = violations(page, both)
    assert {name: seen for name, seen in found.items() if seen} == {}


def test_no_page_of_two_approvers_and_no_notice_has_a_violation(
    world: World,
    link_for: Callable[..., str],
    signed_link: Callable[[Link], str],
    someone: Callable[..., Watched],
) -> None:
    app = world.app(approvers=[ANA, BEN], approvals_needed=2)
    world.log(app)
    link_for(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    until = int(time.time()) + 600
    ana, ben, eve = (signed_link(Link(incident.approval_id, who, until)) for who in (ANA, BEN, EVE))
    expired = signed_link(Link(incident.approval_id, ANA, until - 3_600))
    page = someone(viewport=SIZES["phone"], color_scheme="light").open(ana)
    found: dict[str, list[str]] = {}

    def visit(name: str, address: str, title: str) -> None:
        page.emulate_media(color_scheme="light")
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        found[name] = violations(page, ("dark",))

    page.get_by_role("button", name="Approve this patch").click()
    visit("first approved, to them", ana, "You approved the patch")
    visit("first approved, to the second", ben, "KeyError")
    expect(page.get_by_role("heading", name=f"{ANA} has approved this patch")).to_be_visible()
    visit("not allowed", eve, "You are not among the approvers")
    visit("forged", f"{ana[:-3]}{'AAA' if not ana.endswith('AAA') else 'BBB'}", "This link is not valid")
    visit("expired", expired, "This link has expired")
    world.target.approvals.supersede(incident.approval_id)
    visit("superseded", ben, "A newer link replaces this one")
    assert {name: seen for name, seen in found.items() if seen} == {}
