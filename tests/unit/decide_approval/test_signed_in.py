"""The page behind sign-in: whoever signed in decides, whoever the link was sent to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.decide_approval.request import source_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser

ANA, BEN, EVE = "ana@shop.example", "ben@shop.example", "eve@elsewhere.example"


def register(name: str, *approvers: str) -> None:
    entry = {
        "log_groups": [f"/aws/lambda/{name}"],
        "repository": f"https://github.com/shop/{name}.git",
        "approvers": list(approvers),
    }
    boto3.client("ssm").put_parameter(
        Name=f"/self-heal/apps/{name}", Value=json.dumps(entry), Type="SecureString", Overwrite=True
    )


def test_who_signed_in_decides_and_not_who_the_link_was_sent_to(
    scene: Scene, signed_in: Callable[..., Browser]
) -> None:
    approval = scene.approval(approvers=(ANA, BEN))
    ben = signed_in(BEN)
    link = ben.link(approval, ANA)
    assert f"Recorded as {BEN}" in ben.get(link).text
    form = {"form": ben.get(link).forms["approve"], "decision": "approve"}
    decided = ben.post(link, form, {"x-viewer-address": "198.51.100.7"})
    row = scene.kept(approval.approval_id)
    assert decided.status == 303
    assert (row.by, row.via, row.source_ip) == (BEN, "sign_in", "198.51.100.7 via 203.0.113.9")
    assert scene.workflow.received[0]["by"] == BEN
    assert "You approved the patch" in ben.follow(decided, link).text


def test_the_link_of_nobody_in_particular_is_decided_by_somebody(
    scene: Scene, signed_in: Callable[..., Browser]
) -> None:
    approval = scene.approval()
    ana = signed_in(ANA)
    assert ana.decide(ana.link(approval, "team"), "reject", reason="by_hand").status == 303
    assert scene.kept(approval.approval_id).by == ANA


def test_who_is_no_approver_sees_and_decides_nothing_with_an_approver_s_link(
    scene: Scene, signed_in: Callable[..., Browser]
) -> None:
    approval = scene.approval(approvers=(ANA,))
    link = signed_in(ANA).link(approval, ANA)
    form = signed_in(ANA).get(link).forms["approve"]
    shown = signed_in(EVE).get(link)
    assert (shown.status, "not among the approvers" in shown.text) == (403, True)
    assert "KeyError" not in shown.body
    assert signed_in(EVE).post(link, {"form": form, "decision": "approve"}).status == 403
    assert scene.workflow.received == []


def test_a_form_counts_for_the_person_it_was_shown_to_only(
    scene: Scene, signed_in: Callable[..., Browser]
) -> None:
    approval = scene.approval(approvers=(ANA, BEN))
    link = signed_in(ANA).link(approval, ANA)
    form = signed_in(ANA).get(link).forms["approve"]
    assert signed_in(BEN).post(link, {"form": form, "decision": "approve"}).status == 403
    assert scene.workflow.received == []


def test_two_people_are_two_identities_even_with_one_link(
    scene: Scene, signed_in: Callable[..., Browser]
) -> None:
    approval = scene.approval(approvers=(ANA, BEN), approvals_needed=2)
    link = signed_in(ANA).link(approval, ANA)
    assert signed_in(ANA).decide(link, "approve").status == 200
    again = signed_in(ANA.upper()).get(signed_in(ANA).link(approval, BEN))
    assert "Another person must approve it as well" in again.text
    assert signed_in(BEN).decide(link, "approve").status == 303
    assert scene.workflow.received[0]["by"] == f"{ANA} and {BEN}"


def test_who_is_nobody_sees_and_decides_nothing(scene: Scene, signed_in: Callable[..., Browser]) -> None:
    approval = scene.approval(approvers=(ANA,))
    link = signed_in(ANA).link(approval, ANA)
    form = signed_in(ANA).get(link).forms["approve"]
    for claims, why in (
        ({}, "You are not signed in"),
        ({"email": ANA, "email_verified": "false"}, "has not verified your e-mail address"),
        ({"preferred_username": ANA, "sub": ANA}, "has no usable"),
    ):
        nobody = signed_in(**claims)
        for answer in (
            nobody.get(link),
            nobody.post(link, {"form": form, "decision": "approve"}),
            nobody.get("/list"),
        ):
            assert answer.status == 403
            assert why in answer.text
            assert "KeyError" not in answer.body
    assert scene.workflow.received == []


def test_being_signed_in_is_no_substitute_for_a_link(scene: Scene, signed_in: Callable[..., Browser]) -> None:
    approval = scene.approval(approvers=(ANA,))
    ana = signed_in(ANA)
    link = ana.link(approval, ANA)
    form = ana.get(link).forms["approve"]
    bare = link.partition("?")[0]
    assert ana.get(bare).status == 403
    assert ana.post(bare, {"form": form, "decision": "approve"}).status == 403
    assert scene.workflow.received == []


def test_the_list_needs_no_link(scene: Scene, signed_in: Callable[..., Browser]) -> None:
    register("orders", ANA, BEN)
    register("open")
    approval = scene.approval(approvers=(ANA, BEN))
    scene.incidents_table.put_item(
        Item={
            "incident_id": "open-1",
            "fingerprint": "1",
            "app": "open",
            "status": "HEALING",
            "error_type": "ValueError",
            "title": "ValueError: in-open",
            "last_seen": "2026-11-20T09:00:00.000+00:00",
        }
    )
    ana = signed_in(ANA)
    listed = ana.get("/list")
    assert (listed.status, "One decision waits for you" in listed.text) == (200, True)
    assert "in-open" not in listed.text, "whoever may sign in at the provider need not know of it"
    hrefs = [attributes.get("href") or "" for tag, attributes in listed.elements.tags if tag in ("a", "link")]
    (decide,) = [href for href in hrefs if href.startswith(f"a/{approval.approval_id}?")]
    assert any(href.startswith("static/style.css") for href in hrefs)
    assert "sign-out" in hrefs
    assert ana.decide(f"/{decide}", "approve").status == 303
    assert "Nothing waits for you" in signed_in(EVE).get("/list").text


def test_without_sign_in_claims_are_worth_nothing(scene: Scene, browser: Browser) -> None:
    """A function URL adds none; whatever a request says there, the link says who it is."""
    register("orders", BEN)
    approval = scene.approval(approvers=(ANA,))
    browser.authorizer = {"jwt": {"claims": {"email": BEN, "email_verified": "true"}, "scopes": None}}
    assert browser.get("/list").status == 404
    assert browser.decide(browser.link(approval, ANA), "approve").status == 303
    row = scene.kept(approval.approval_id)
    assert (row.by, row.via, row.source_ip) == (ANA, "link", "203.0.113.9")


@pytest.mark.parametrize(
    ("identity_from", "headers", "recorded"),
    [
        ("email", {"x-viewer-address": "198.51.100.7"}, "198.51.100.7 via 203.0.113.9"),
        ("email", {"x-viewer-address": "2001:db8::1"}, "2001:db8::1 via 203.0.113.9"),
        ("email", {}, "203.0.113.9"),
        ("email", {"x-viewer-address": "<b>1"}, "203.0.113.9"),
        ("email", {"x-forwarded-for": "198.51.100.7"}, "203.0.113.9"),
        ("link", {"x-viewer-address": "198.51.100.7"}, "203.0.113.9"),
    ],
)
def test_the_record_says_from_where_and_who_says_so(
    identity_from: str, headers: dict[str, str], recorded: str
) -> None:
    event = {"headers": headers, "requestContext": {"http": {"sourceIp": "203.0.113.9"}}}
    assert source_address(event, identity_from) == recorded
