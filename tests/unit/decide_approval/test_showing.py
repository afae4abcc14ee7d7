"""What the page shows: everything that a decision needs, within a page's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.core.aws.console import Console
from functions.core.incidents.incident import Frame
from functions.core.notify.commands import Commands
from functions.decide_approval import highlight, pages, traceback
from functions.decide_approval.case import load
from functions.decide_approval.pages import FormInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser


def test_the_page_shows_what_a_decision_needs(scene: Scene, browser: Browser) -> None:
    answer = browser.get(browser.link(scene.approval()))
    assert answer.status == 200
    for part in (
        "KeyError 'NZ'",
        "42 times",
        "20 Nov 2026, 10:00 UTC",
        "/aws/lambda/orders",
        "Refuse unknown countries with a clear error",
        "RATES holds only those we ship to",
        "raise UnknownCountry(country)",
        "Not proven: 1 of 3 checks did not run",
        "Not fully proven. Did not run: existing tests.",
        "The repository has no tests.",
        "Before the patch: failed, exit code 1",
        "With the patch: passed",
        "1 library frame",
        "in rate_for",
        "a-model",
        "12,840 in, 912 out",
        "$0.0522",
        "Recorded as ana",
    ):
        assert part in answer.text, part
    addresses = [attributes.get("href") or "" for tag, attributes in answer.elements.tags if tag == "a"]
    assert any(address.startswith("https://console.aws.amazon.com/states") for address in addresses)
    assert any("$255B$2524LATEST$255D" in address for address in addresses)
    assert "https://github.com/shop/orders" in addresses


def test_on_an_embedded_aws_links_lead_to_its_own_pages_and_commands_work_as_they_are_copied(
    scene: Scene, browser_with: Callable[..., Browser]
) -> None:
    here = browser_with(
        commands=Commands("/opt/venv/bin/selfheal", " --local"),
        console=Console("http://127.0.0.1:1/_console"),
    )
    answer = here.get(here.link(scene.approval()))
    addresses = [attributes.get("href") or "" for tag, attributes in answer.elements.tags if tag == "a"]
    copied = [attributes.get("data-copy") for tag, attributes in answer.elements.tags if tag == "button"]
    assert not [address for address in addresses if "amazon" in address]
    for below in ("executions/arn:aws:states:", "logs/%2Faws%2Flambda%2Forders/"):
        assert any(one.startswith(f"http://127.0.0.1:1/_console/{below}") for one in addresses), below
    assert "/opt/venv/bin/selfheal show --local orders-v1-abc" in copied


def test_the_page_tells_the_failing_function_apart_from_another_class_s_of_the_same_name() -> None:
    library = Frame("/opt/venv/lib/python3.12/site-packages/tax/core.py", 3, "rate", "", False, "")
    own = Frame("/app/vat.py", 12, "rate", "return table[country]", True, "")
    (mine, _) = traceback.stretches((own, library), "Rates.rate")
    assert [shown.frame.function for shown in mine.frames] == ["Rates.rate"]
    assert traceback.stretches((library,), "Rates.rate") == traceback.stretches((library,))


def test_the_page_says_where_the_tests_ran_when_it_was_a_build(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    assert "CodeBuild" not in browser.get(browser.link(approval)).text
    evidence = scene.artifacts.get_json(approval.evidence_key)
    build = {"project": "self-heal-orders", "arn": "arn", "log_url": "https://console.aws.amazon.com/log#x"}
    scene.artifacts.put_json(approval.evidence_key, {**evidence, "build": build})
    answer = browser.get(browser.link(approval))
    assert "The tests ran in CodeBuild project self-heal-orders (its log)." in answer.text
    assert build["log_url"] in [a.get("href") for tag, a in answer.elements.tags if tag == "a"]


REVIEW = {
    "opinion": "objects",
    "model": "us.anthropic.claude-opus-5-5",
    "reasons": ["NZ is refused, though `RATES` has a default.", "<b>Tests</b> do not cover it."],
    "would_check": ["Orders to NZ of the last month."],
}


def test_a_second_opinion_stands_on_the_page_and_an_objection_beside_the_buttons(
    scene: Scene, browser: Browser
) -> None:
    unreviewed = scene.approval()
    key = scene.artifacts.put_json("orders-v1-abc/heal-1/1/review.json", REVIEW)
    assert "Second opinion" not in browser.get(browser.link(unreviewed)).text, "only what the heal tells of"
    approval = scene.approval(approval_id="reviewed-with-entropy", review_key=key)
    text = browser.get(browser.link(approval)).text
    for part in (
        "Second opinion: objects",
        "By us.anthropic.claude-opus-5-5, which saw the error",
        "NZ is refused, though RATES has a default.",
        "<b>Tests</b> do not cover it.",
        "Orders to NZ of the last month.",
        "The second opinion objects.",
    ):
        assert part in text, part
    key = scene.artifacts.put_json("orders-v1-abc/heal-1/1/review.json", REVIEW | {"opinion": "no_opinion"})
    assert browser.get(browser.link(approval)).status >= 400, "another opinion than was asked about"
    approval = scene.approval(approval_id="reviewed-again-with-entropy", review_key=key)
    text = browser.get(browser.link(approval)).text
    assert "Second opinion: none" in text
    assert "The second opinion objects." not in text


def test_the_page_says_who_answered_and_why_it_was_not_the_apps_own_model(
    scene: Scene, browser: Browser
) -> None:
    approval = scene.approval()
    outcome = {"cost_usd": 0.01, "model": "us.amazon.nova-pro-v1:0", "model_note": "model a-model: is legacy"}
    scene.artifacts.put_json("orders-v1-abc/heal-1/1/outcome.json", outcome)
    text = browser.get(browser.link(approval)).text
    assert "us.amazon.nova-pro-v1:0" in text
    assert "model a-model: is legacy" in text


def test_earlier_attempts_say_why_they_did_not_get_through(scene: Scene, browser: Browser) -> None:
    scene.write_attempt(1)
    findings = {"findings": ["honest: hides the error"]}
    scene.artifacts.put_json("orders-v1-abc/heal-1/1/findings.json", findings)
    reviewed = scene.approval(2)
    browser.decide(browser.link(reviewed, "ben"), "revise", comment="Keep it shorter.")
    answer = browser.get(browser.link(scene.approval(3, previous_id=reviewed.approval_id)))
    assert "honest: hides the error" in answer.text
    assert "ben asked for changes: Keep it shorter." in answer.text


def test_a_patch_of_400_lines_is_a_small_page(scene: Scene, browser: Browser) -> None:
    lines = "".join(
        f'-    total_{n} = price(order["item_{n}"], limit={n})  # was\n'
        f'+    total_{n} = price(order.get("item_{n}"), limit={n}) if order else None\n'
        for n in range(200)
    )
    patch = f"--- a/orders/pricing.py\n+++ b/orders/pricing.py\n@@ -1,200 +1,200 @@\n{lines}"
    approval = scene.approval(patch=patch)
    browser.get(browser.link(approval))
    highlight.lines.cache_clear()
    case = load(approval, scene.approvals, scene.incidents, scene.artifacts)
    page = pages.approval_page(
        case, "ana", "form", FormInput(), "list/orders?t=x", commands=Commands(), console=Console()
    )
    assert len(page.encode()) <= 200 * 1024  # its time is what tests/bench/bench_page.py measures


def test_code_in_prose_is_set_as_code_and_nothing_else_is_markup(scene: Scene, browser: Browser) -> None:
    approval = scene.approval()
    scene.write_attempt(1, proposal={"root_cause": "`RATES` <b>lacks</b> `<i>`, and a lone ` stays"})
    body = browser.get(browser.link(approval)).body
    assert "<code>RATES</code> &lt;b&gt;lacks&lt;/b&gt; <code>&lt;i&gt;</code>, and a lone ` stays" in body


@pytest.mark.parametrize(
    ("before", "says"),
    [(1, "What failed before and passes now"), (0, "What was run")],
    ids=["failed", "passed"],
)
def test_only_what_failed_before_is_said_to_have_failed(
    scene: Scene, browser: Browser, before: int, says: str
) -> None:
    approval = scene.approval()
    runs = [
        {"command": "pytest", "tree": tree, "exit_code": code, "seconds": 0.1, "output": ""}
        for tree, code in (("before", before), ("after", 0))
    ]
    scene.write_attempt(1, gates=[{"gate": "tests", "result": "pass", "detail": "ran", "runs": runs}])
    assert says in browser.get(browser.link(approval)).text
