"""What holds for every answer: headers, no script, relative addresses, static files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from functions.decide_approval.handler import handler

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser


def test_head_has_the_headers_of_get_and_no_body(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval())
    get, head = browser.get(link), browser.request("HEAD", link)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, "")


def test_every_answer_has_the_security_headers(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval())
    answers = [browser.get(address) for address in (link, "/", link + "x", "/static/style.css")]
    answers.append(browser.decide(link, "approve"))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        kept = "immutable" if answer.headers["content-type"].startswith("text/css") else "no-store"
        assert kept in answer.headers["cache-control"]


def test_pages_bring_one_script_of_ours_and_no_inline_style(scene: Scene, browser: Browser) -> None:
    link = browser.link(scene.approval())
    page, decided = browser.get(link), browser.decide(link, "approve")
    for answer in (page, browser.follow(decided, link), browser.get("/")):
        scripts = [attributes["src"] or "" for tag, attributes in answer.elements.tags if tag == "script"]
        assert [bool(re.fullmatch(r"(\.\./)*static/page\.js\?v=[0-9a-f]+", src)) for src in scripts] == [True]
        assert "<script" not in answer.body.replace("<script src=", "")
        for tag, attributes in answer.elements.tags:
            assert tag not in ("style", "iframe", "object", "embed", "base")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_addresses_within_pages_are_relative_so_that_they_work_below_a_path(
    scene: Scene, browser: Browser
) -> None:
    link = browser.link(scene.approval())
    page, decided = browser.get(link), browser.decide(link, "approve")
    assert not decided.headers["location"].startswith(("/", "http"))
    for answer, base in ((page, "../"), (browser.follow(decided, link), "../../"), (browser.get("/"), "")):
        sheets = [a["href"] or "" for tag, a in answer.elements.tags if tag == "link"]
        assert [sheet.startswith(f"{base}static/") for sheet in sheets] == [True, True]
    assert "action" not in {name for tag, a in page.elements.tags if tag == "form" for name in a}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("style.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_static_files_are_served(browser: Browser, name: str, kind: str) -> None:
    answer = browser.get(f"/static/{name}?v=1")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.body


def test_the_handler_serves_static_files_without_any_setting(
    aws: None, lambda_context: LambdaContext
) -> None:
    http = {"method": "GET", "path": "/static/icon.svg", "sourceIp": "203.0.113.9"}
    around = {"stage": "$default", "http": http}
    event = {"version": "2.0", "rawPath": "/static/icon.svg", "headers": {}, "requestContext": around}
    assert handler(event, lambda_context)["statusCode"] == 200
