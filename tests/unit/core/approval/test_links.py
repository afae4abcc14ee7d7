"""Signed links: bound to one approval, one recipient, one purpose and a time; keys rotate."""

from __future__ import annotations

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider
from hypothesis import given
from hypothesis import strategies as st

from functions.core.approval import links
from functions.core.approval.links import Link, LinkExpired, LinkInvalid, LinkKeys, Purpose
from functions.core.workflow.errors import PermanentError

OLD, NEW = b"the-old-key-with-more-than-32-characters", b"the-new-key-with-more-than-32-characters"
LINK = Link("approval-1", "ana@example.com", 2_000_000_000)
NOW = 1_999_999_000.0


def test_a_signed_link_says_who_and_about_what() -> None:
    assert links.verify(links.sign(LINK, NEW), "approval-1", (NEW,), NOW) == LINK


def test_the_address_holds_nothing_but_the_approval_and_the_token() -> None:
    address = links.url("https://page.example/", LINK, NEW)
    assert address == f"https://page.example/a/approval-1?t={links.sign(LINK, NEW)}"


def test_a_link_works_until_its_last_second() -> None:
    token = links.sign(LINK, NEW)
    assert links.verify(token, "approval-1", (NEW,), LINK.expires_at - 0.5)
    with pytest.raises(LinkExpired):
        links.verify(token, "approval-1", (NEW,), LINK.expires_at)


def test_a_rotated_key_still_verifies_until_it_is_dropped() -> None:
    token = links.sign(LINK, OLD)
    assert links.verify(token, "approval-1", (NEW, OLD), NOW) == LINK
    with pytest.raises(LinkInvalid):
        links.verify(token, "approval-1", (NEW,), NOW)


def test_a_forged_expired_link_is_forged_not_expired() -> None:
    token = links.sign(Link("approval-1", "ana@example.com", 1), OLD)
    with pytest.raises(LinkInvalid) as caught:
        links.verify(token, "approval-1", (NEW,), NOW)
    assert not isinstance(caught.value, LinkExpired)


@pytest.mark.parametrize(
    ("approval_id", "purpose", "subject"),
    [
        ("approval-2", Purpose.DECIDE, ""),
        ("approval-1", Purpose.FOLLOW, ""),
        ("approval-1", Purpose.FORM, ""),
        ("approval-1", Purpose.DECIDE, "another patch"),
    ],
)
def test_a_token_is_worthless_for_anything_else(approval_id: str, purpose: Purpose, subject: str) -> None:
    with pytest.raises(LinkInvalid):
        links.verify(links.sign(LINK, NEW), approval_id, (NEW,), NOW, purpose, subject)


def test_no_part_of_a_token_can_be_changed() -> None:
    token = links.sign(LINK, NEW)
    for position, character in enumerate(token):
        other = "A" if character != "A" else "B"
        if character.isdigit() and position < 10:
            other = str((int(character) + 1) % 10)
        changed = token[:position] + other + token[position + 1 :]
        if _means_the_same(token, changed):
            continue
        with pytest.raises(LinkInvalid):
            links.verify(changed, "approval-1", (NEW,), NOW)


def _means_the_same(token: str, changed: str) -> bool:
    """The last character of unpadded base64 has bits that no decoder reads."""
    last = {len(token) - 1, token.rindex(".") - 1}
    return [a == b for a, b in zip(token, changed, strict=True)].index(False) in last


@given(st.text())
def test_no_text_is_accepted_or_crashes(text: str) -> None:
    with pytest.raises(LinkInvalid):
        links.verify(text, "approval-1", (NEW,), NOW)


@given(recipient=st.text(max_size=100), approval_id=st.text(max_size=60), subject=st.text(max_size=60))
def test_any_recipient_comes_back_whole(recipient: str, approval_id: str, subject: str) -> None:
    link = Link(approval_id, recipient, 2_000_000_000)
    token = links.sign(link, NEW, Purpose.FORM, subject)
    assert links.verify(token, approval_id, (OLD, NEW), NOW, Purpose.FORM, subject) == link


def test_approval_ids_are_derived_apart_and_long() -> None:
    runs = [("arn:1", 1, 0, "b"), ("arn:1", 2, 0, "b"), ("arn:1", 1, 1, "b"), ("arn:11", 1, 0, "b")]
    runs += [("arn:1", 11, 0, "b"), ("arn:1", 1, 0, "c")]
    ids = {links.derive_approval_id(NEW, *run) for run in runs}
    assert len(ids) == len(runs)
    assert links.derive_approval_id(NEW, *runs[0]) in ids
    assert links.derive_approval_id(OLD, *runs[0]) not in ids
    assert {len(each) for each in ids} == {32}


@pytest.mark.parametrize("text", ["", "  \n", "short", f"{NEW.decode()} short"])
def test_unusable_keys_are_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="32 characters"):
        links.parse_keys(text)


def test_keys_come_from_a_secure_parameter_newest_first(aws: None) -> None:
    value = f"{NEW.decode()}\n{OLD.decode()}\n"
    boto3.client("ssm").put_parameter(Name="/self-heal/link-key", Value=value, Type="SecureString")
    keys = LinkKeys("/self-heal/link-key", SSMProvider()).all()
    assert keys == tuple(value.encode().split())


def test_a_missing_key_parameter_is_named(aws: None) -> None:
    with pytest.raises(PermanentError, match="'/self-heal/nothing'"):
        LinkKeys("/self-heal/nothing", SSMProvider()).all()
