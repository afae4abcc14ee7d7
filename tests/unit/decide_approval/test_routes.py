"""The page's rules: showing decides nothing, deciding needs the page, dead links say nothing."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urljoin

import pytest

from functions.core.approvals import ApprovalStatus
from functions.core.incident import Status
from functions.decide_approval import highlight, pages
from functions.decide_approval.case import load
from functions.decide_approval.handler import handler
from functions.decide_approval.pages import Draft

EVERYTHING_ABOUT_THE_INCIDENT = ("KeyError", "NZ", "orders", "shipping", "rate_for", "Refuse unknown")


def says_nothing(answer: Any) -> bool:
    return not [word for word in EVERYTHING_ABOUT_THE_INCIDENT if word in answer.body]


def test_the_page_shows_what_a_decision_needs(scene: Any, browser: Any) -> None:
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
    assert "https://github.com/shop/orders.git" in addresses


def test_earlier_attempts_say_why_they_did_not_get_through(scene: Any, browser: Any) -> None:
    scene.write_attempt(1)
    findings = {"findings": ["honest: hides the error"]}
    scene.artifacts.put_json("orders-v1-abc/heal-1/1/findings.json", findings)
    reviewed = scene.approval(2)
    browser.decide(browser.link(reviewed, "ben"), "revise", comment="Keep it shorter.")
    answer = browser.get(browser.link(scene.approval(3, previous_id=reviewed.approval_id)))
    assert "honest: hides the error" in answer.text
    assert "ben asked for changes: Keep it shorter." in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_the_page_decides_nothing_however_often(scene: Any, browser: Any, method: str) -> None:
    approval = scene.approval()
    for _ in range(3):
        assert browser.request(method, browser.link(approval)).status == 200
    assert scene.approvals.get(approval.approval_id) == approval
    assert scene.workflow.received == []


def test_head_has_the_headers_of_get_and_no_body(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval())
    get, head = browser.get(link), browser.request("HEAD", link)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, "")


@pytest.mark.parametrize(
    ("decision", "fields", "title"),
    [
        ("approve", {"comment": "Good."}, "You approved the patch"),
        ("revise", {"comment": "Shorter, please."}, "You asked for changes"),
        ("reject", {"reason": "wrong_fix", "comment": ""}, "You rejected the patch"),
    ],
)
def test_a_decision_is_recorded_under_the_recipient_and_followed(
    scene: Any, browser: Any, decision: str, fields: dict[str, str], title: str
) -> None:
    approval = scene.approval()
    link = browser.link(approval, "ana@example.com")
    answer = browser.decide(link, decision, **fields)
    row = scene.approvals.get(approval.approval_id)
    assert answer.status == 303
    assert (row.status, row.by, row.via) == (ApprovalStatus.DELIVERED, "ana@example.com", "link")
    assert (row.source_ip, row.comment) == ("203.0.113.9", fields["comment"])
    assert [received["decision"] for received in scene.workflow.received] == [decision]
    followed = browser.follow(answer, link)
    assert (followed.status, title in followed.text) == (200, True)
    assert followed.headers["refresh"] == "2"


def test_the_progress_page_arrives_at_the_pull_request(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval())
    answer = browser.decide(link, "approve")
    url = "https://github.com/shop/orders/pull/7"
    scene.incidents.transition(
        "orders-v1-abc", Status.HEALING, status="PR_OPEN", pull_request_url=url, branch="self-heal/x"
    )
    followed = browser.follow(answer, link)
    assert url in followed.body
    assert "refresh" not in followed.headers


def test_the_progress_page_can_be_told_to_stand_still(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval())
    answer = browser.decide(link, "approve")
    followed = browser.follow(answer, link)
    stop = next(a["href"] for tag, a in followed.elements.tags if tag == "a" and "still=1" in a["href"])
    standing = browser.get(urljoin(urljoin(link, answer.headers["location"]), stop))
    assert standing.status == 200
    assert "refresh" not in standing.headers
    assert "You approved the patch" in standing.text


def test_a_second_decision_is_told_what_was_decided_and_by_whom(scene: Any, browser: Any) -> None:
    approval = scene.approval()
    ana, ben = browser.link(approval, "ana"), browser.link(approval, "ben")
    bens_page = browser.get(ben)
    browser.decide(ana, "approve")
    answer = browser.post(
        ben, {"form": bens_page.forms["reject"], "decision": "reject", "reason": "wrong_fix"}
    )
    assert answer.status == 409
    assert "approved by ana" in answer.text
    assert says_nothing(answer)
    assert len(scene.workflow.received) == 1


def test_a_double_click_leads_to_the_same_page_and_one_decision(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval())
    fields = {"form": browser.get(link).forms["approve"], "decision": "approve"}
    assert [browser.post(link, fields).status for _ in range(2)] == [303, 303]
    assert len(scene.workflow.received) == 1


def test_a_used_link_says_what_was_decided_and_nothing_about_the_incident(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval(), "ana")
    browser.decide(link, "reject", reason="not_a_bug")
    answer = browser.get(link)
    assert answer.status == 410
    assert "rejected by ana" in answer.text
    assert says_nothing(answer)


def test_dead_links_have_pages_of_their_own(scene: Any, browser: Any) -> None:
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
        assert (answer.status, words in answer.text, says_nothing(answer)) == (status, True, True), link


def test_the_link_of_an_approval_that_was_deleted_is_gone(scene: Any, browser: Any) -> None:
    approval = scene.approval()
    link = browser.link(approval)
    form = browser.get(link).forms["approve"]
    scene.approvals._table.delete_item(Key={"approval_id": approval.approval_id})
    assert browser.get(link).status == 410
    assert browser.post(link, {"form": form, "decision": "approve"}).status == 410


def test_the_link_of_a_heal_that_stopped_says_so(scene: Any, browser: Any) -> None:
    approval = scene.approval()
    scene.incidents.transition("orders-v1-abc", Status.AWAITING_APPROVAL, status="FAILED")
    answer = browser.get(browser.link(approval))
    assert (answer.status, says_nothing(answer)) == (410, True)
    assert "has stopped" in answer.text


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
    scene: Any, browser: Any, change: dict[str, str], headers: dict[str, str], status: int
) -> None:
    approval = scene.approval()
    link = browser.link(approval)
    fields = {"form": browser.get(link).forms["approve"], "decision": "approve", **change}
    if "OWN" in fields["form"]:
        fields["form"] = link.partition("?t=")[2]
    answer = browser.post(link, fields, headers)
    assert (answer.status, says_nothing(answer)) == (status, True)
    assert scene.approvals.get(approval.approval_id).status is ApprovalStatus.PENDING


def test_a_form_of_one_recipient_is_worthless_in_the_hands_of_another(scene: Any, browser: Any) -> None:
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
    scene: Any, browser: Any, decision: str, fields: dict[str, str], message: str
) -> None:
    approval = scene.approval()
    answer = browser.decide(browser.link(approval), decision, **fields)
    assert answer.status == 422
    assert message in answer.text
    assert fields.get("comment", "").strip() in answer.body
    assert scene.approvals.get(approval.approval_id).status is ApprovalStatus.PENDING


@pytest.mark.parametrize("body", [b"\xff\xfe=%ff", b"&" * 100, b"a=b&" * 50, b"comment=" + b"x" * 70_000])
def test_a_broken_form_is_refused(scene: Any, browser: Any, body: bytes) -> None:
    assert browser.request("POST", browser.link(scene.approval()), body).status in (400, 403)
    assert scene.workflow.received == []


def test_a_patch_that_is_not_the_proven_one_cannot_be_decided(scene: Any, browser: Any) -> None:
    approval = scene.approval()
    scene.artifacts.put(approval.patch_key, b"something else")
    answer = browser.get(browser.link(approval))
    assert (answer.status, says_nothing(answer)) == (409, True)
    assert "not the one that was proven" in answer.text


def test_what_breaks_on_our_side_is_a_page_too(scene: Any, browser: Any) -> None:
    approval = scene.approval()
    scene.artifacts.put(approval.evidence_key, b"not json")
    answer = browser.get(browser.link(approval))
    assert (answer.status, says_nothing(answer)) == (500, True)


def test_a_decision_that_aws_lost_is_delivered_when_the_link_is_opened(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval(), "ana")
    fields = {"form": browser.get(link).forms["approve"], "decision": "approve"}
    scene.workflow.fail_next.append("ThrottlingException")
    assert browser.post(link, fields).status == 500
    assert browser.get(link).status == 410
    assert [received["by"] for received in scene.workflow.received] == ["ana"]


def test_every_answer_has_the_security_headers(scene: Any, browser: Any) -> None:
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


def test_pages_need_no_script_and_no_inline_style(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval())
    page, decided = browser.get(link), browser.decide(link, "approve")
    for answer in (page, browser.follow(decided, link), browser.get("/")):
        for tag, attributes in answer.elements.tags:
            assert tag not in ("script", "style", "iframe", "object", "embed", "base")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_addresses_within_pages_are_relative_so_that_they_work_below_a_path(scene: Any, browser: Any) -> None:
    link = browser.link(scene.approval())
    page, decided = browser.get(link), browser.decide(link, "approve")
    assert not decided.headers["location"].startswith(("/", "http"))
    for answer, base in ((page, "../"), (browser.follow(decided, link), "../../"), (browser.get("/"), "")):
        sheets = [a["href"] or "" for tag, a in answer.elements.tags if tag == "link"]
        assert [sheet.startswith(f"{base}static/") for sheet in sheets] == [True, True]
    assert "action" not in {name for tag, a in page.elements.tags if tag == "form" for name in a}


@pytest.mark.parametrize(("name", "kind"), [("style.css", "text/css"), ("icon.svg", "image/svg+xml")])
def test_static_files_are_served(browser: Any, name: str, kind: str) -> None:
    answer = browser.get(f"/static/{name}?v=1")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.body


def test_the_handler_serves_static_files_without_any_setting(aws: None, lambda_context: Any) -> None:
    http = {"method": "GET", "path": "/static/icon.svg", "sourceIp": "203.0.113.9"}
    around = {"stage": "$default", "http": http}
    event = {"version": "2.0", "rawPath": "/static/icon.svg", "headers": {}, "requestContext": around}
    assert handler(event, lambda_context)["statusCode"] == 200


def test_a_patch_of_400_lines_is_a_small_page_and_quickly_made(scene: Any, browser: Any) -> None:
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
    started = time.process_time()
    page = pages.approval_page(case, "ana", "form", Draft(), "list/orders?t=x")
    seconds = time.process_time() - started
    assert len(page.encode()) <= 200 * 1024
    # Measured: 0.08 s of CPU for the first rendering, 0.004 s for the next.
    assert seconds <= 0.15


def test_code_in_prose_is_set_as_code_and_nothing_else_is_markup(scene: Any, browser: Any) -> None:
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
    scene: Any, browser: Any, before: int, says: str
) -> None:
    approval = scene.approval()
    runs = [
        {"command": "pytest", "tree": tree, "exit_code": code, "seconds": 0.1, "output": ""}
        for tree, code in (("before", before), ("after", 0))
    ]
    scene.write_attempt(1, gates=[{"gate": "tests", "result": "pass", "detail": "ran", "runs": runs}])
    assert says in browser.get(browser.link(approval)).text
