"""The list behind a valid link: what waits for its recipient, what is under way, what happened lately."""

from __future__ import annotations

import json
import time
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import boto3
import pytest

from functions.core.approval import links
from functions.core.approval.links import Link, Purpose

if TYPE_CHECKING:
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser

ANA, BEN = "ana@shop.example", "ben@shop.example"


def register(name: str, *approvers: str) -> None:
    entry = {
        "log_groups": [f"/aws/lambda/{name}"],
        "repository": f"https://github.com/shop/{name}.git",
        "approvers": list(approvers),
    }
    boto3.client("ssm").put_parameter(
        Name=f"/self-heal/apps/{name}", Value=json.dumps(entry), Type="SecureString", Overwrite=True
    )


def incident(scene: Scene, app: str, status: str, title: str, **values: str) -> None:
    scene.incidents_table.put_item(
        Item={
            "incident_id": f"{app}-{title}",
            "fingerprint": title,
            "app": app,
            "status": status,
            "error_type": "ValueError",
            "title": f"ValueError: {title}",
            "last_seen": "2026-11-20T09:00:00.000+00:00",
            **values,
        }
    )


def everything(browser: Browser, address: str) -> Any:
    """Follow the page's link to the list."""
    hrefs = [
        attributes.get("href") or "" for tag, attributes in browser.get(address).elements.tags if tag == "a"
    ]
    (found,) = [unescape(href) for href in hrefs if "list/" in href]
    return browser.get(urljoin(address, found))


def sections(answer: Any) -> dict[str, str]:
    """The text of each part of the list, by its heading's id."""
    parts = answer.body.split('<section class="card" aria-labelledby="')[1:]
    return {part.partition('"')[0]: part for part in parts}


def test_the_list_says_where_and_why_in_words(scene: Scene, browser: Browser) -> None:
    register("orders", ANA)
    reason = "not_enough_context: no source for `rate`"
    incident(scene, "orders", "ABSTAINED", "given-up", reason=reason, place="src/rates.py rate")
    incident(scene, "orders", "SUPPRESSED", "counted")
    lately = sections(everything(browser, browser.link(scene.approval(approvers=(ANA,)), ANA)))["lately"]
    assert "<code>src/rates.py, rate</code>" in lately
    assert "not enough context: no source for <code>rate</code>" in lately
    assert "Suppressed" in lately and "Muted" not in lately


def test_the_list_leads_to_what_waits_and_tells_the_rest(scene: Scene, browser: Browser) -> None:
    register("orders", ANA, BEN)
    approval = scene.approval(approvers=(ANA, BEN))
    incident(scene, "orders", "PR_OPEN", "under-review", pull_request_url="https://github.com/shop/x/pull/1")
    incident(scene, "orders", "ABSTAINED", "given-up", reason="a missing dependency")
    answer = everything(browser, browser.link(approval, ANA))
    assert answer.status == 200
    found = sections(answer)
    assert "NZ" in found["waiting"]
    assert "under-review" in found["under-way"]
    assert "https://github.com/shop/x/pull/1" in found["under-way"]
    assert "a missing dependency" in found["lately"]
    hrefs = [attributes.get("href") or "" for tag, attributes in answer.elements.tags if tag == "a"]
    (decide,) = [unescape(href) for href in hrefs if "/a/" in href]
    assert browser.decide(urljoin("/list/orders", decide), "approve").status == 303
    assert scene.workflow.received[0]["by"] == ANA


@pytest.mark.parametrize(
    ("approvers", "first_by", "waits"),
    [((ANA, BEN), "", True), ((BEN,), "", False), ((ANA, BEN), ANA, False)],
    ids=["mine", "another's", "done-my-part"],
)
def test_only_what_a_person_can_still_decide_waits_for_them(
    scene: Scene, browser: Browser, approvers: tuple[str, ...], first_by: str, waits: bool
) -> None:
    register("orders", ANA, BEN)
    scene.approval(approvers=approvers, first_by=first_by, first_person=first_by)
    found = sections(browser.get(listing(scene, ANA)))
    assert ("NZ" in found["waiting"], "NZ" in found["under-way"]) == (waits, not waits)


def listing(scene: Scene, recipient: str, app: str = "orders", seconds: int = 60) -> str:
    link = Link(app, recipient, int(time.time()) + seconds)
    return f"/list/{app}?t={links.sign(link, scene.keys[0], Purpose.LIST)}"


def test_a_person_sees_the_apps_that_name_them_and_no_others(scene: Scene, browser: Browser) -> None:
    register("orders", ANA)
    register("billing", BEN, ANA)
    register("secret", BEN)
    register("open")
    for app in ("billing", "secret", "open"):
        incident(scene, app, "HEALING", f"in-{app}")
    text = browser.get(listing(scene, ANA)).text
    assert [app for app in ("billing", "secret", "open") if f"in-{app}" in text] == ["billing"]


def test_the_link_of_nobody_in_particular_shows_its_own_app_only(scene: Scene, browser: Browser) -> None:
    register("open")
    register("other")
    for app in ("open", "other"):
        incident(scene, app, "HEALING", f"in-{app}")
    text = browser.get(listing(scene, "team", "open")).text
    assert ("in-open" in text, "in-other" in text) == (True, False)


def test_only_a_token_made_for_the_list_opens_it(scene: Scene, browser: Browser) -> None:
    register("orders", ANA)
    approval = scene.approval(approvers=(ANA,))
    good = listing(scene, ANA)
    token = browser.link(approval, ANA).partition("?t=")[2]
    for address in (
        "/list/orders",
        f"/list/orders?t={token}",
        good.replace("/list/orders", "/list/billing"),
        good[:-2],
        listing(scene, ANA, seconds=-1),
        # Nor does the list's token open an approval.
        f"/a/{approval.approval_id}?t={good.partition('?t=')[2]}",
    ):
        answer = browser.get(address)
        assert answer.status in (403, 410), address
        assert "KeyError" not in answer.body
