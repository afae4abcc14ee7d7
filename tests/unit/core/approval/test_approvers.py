"""Who may decide: people by address, IAM identities by what AWS vouches for."""

from __future__ import annotations

import pytest

from functions.core.approval.approvers import may_decide, person, with_links

SSO = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Developer_0123abcd/Ana@Shop.example"
ROLE = "arn:aws:sts::111122223333:assumed-role/Release/ana@shop.example"
USER = "arn:aws:iam::111122223333:user/ana"


@pytest.mark.parametrize(
    ("identity", "who"),
    [
        ("Ana@shop.example", "ana@shop.example"),
        (SSO, "ana@shop.example"),
        # Whoever assumes a role names the session as they like: it is nobody in particular.
        (ROLE, "arn:aws:iam::111122223333:role/release"),
        (USER, USER),
        ("team", "team"),
        ("slack:U012AB3CD", "slack:u012ab3cd"),
        # The name is the user's own choice.
        ("slack:U012AB3CD (ben)", "slack:u012ab3cd"),
    ],
)
def test_a_person_is_who_aws_vouches_for(identity: str, who: str) -> None:
    assert person(identity) == who


@pytest.mark.parametrize(
    ("identity", "approvers", "may"),
    [
        ("anybody", (), True),
        ("ana@shop.example", ("Ana@Shop.example",), True),
        (SSO, ("ana@shop.example",), True),
        (ROLE, ("ana@shop.example",), False),
        (ROLE, ("arn:aws:iam::111122223333:role/Release",), True),
        (USER, (USER,), True),
        (USER, ("ana",), False),
        ("team", ("ana@shop.example",), False),
        ("slack:U012AB3CD (ana)", ("slack:U012AB3CD",), True),
        ("slack:U012AB3CD (U0BEN0BEN)", ("slack:U0BEN0BEN",), False),
        ("slack:U012AB3CD (ana)", ("ana@shop.example", "ana"), False),
        ("ana@shop.example.attacker.example", ("ana@shop.example",), False),
    ],
)
def test_only_approvers_may_decide(identity: str, approvers: tuple[str, ...], may: bool) -> None:
    assert may_decide(identity, approvers) is may


def test_iam_identities_and_slack_users_are_sent_no_link() -> None:
    assert with_links(("ana@shop.example", USER, "slack:U012AB3CD")) == ("ana@shop.example",)
