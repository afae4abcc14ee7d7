"""Who may decide: people by address, IAM identities by what AWS vouches for."""

from __future__ import annotations

import pytest

from functions.core.approval.approvers import doubts, may_decide, never, one_person, person, with_links

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
        # Whether a mailbox's owner may decide under another address is for the approvers' list to say.
        ("ana+2@shop.example", ("ana@shop.example",), False),
        ("ana+2@shop.example", ("ana+2@shop.example",), True),
    ],
)
def test_only_approvers_may_decide(identity: str, approvers: tuple[str, ...], may: bool) -> None:
    assert may_decide(identity, approvers) is may


@pytest.mark.parametrize(
    "written",
    [
        "ana+2@shop.example",
        " Ana@shop.example\u00a0",
        "ａｎａ＠shop.example",
        "ana＋x@shop.example",
        "ana@shop.example.",
        "ana+a+b@SHOP.example",
        SSO.replace("Ana@", "ana+admin@"),
    ],
)
def test_a_mailbox_is_one_person_however_it_is_written(written: str) -> None:
    assert person(written) == "ana@shop.example"
    assert one_person(("ben@shop.example", "ana@shop.example", written)) == ("ana@shop.example", written)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.n.a@gmail.com", "Ana+x@googlemail.com"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("ana@BÜCHER.example.", "ana+1@bu\u0308cher.example"),
    ],
)
def test_a_mailbox_that_has_two_names_is_one_person(one: str, other: str) -> None:
    assert one_person((one, other)) == (one, other)


@pytest.mark.parametrize(
    "others",
    [
        ("ana@shop.example", "ann@shop.example"),
        ("+1@a.example", "+2@a.example"),
        ("a.na@shop.example", "ana@shop.example"),
        ("ana@gmail.com", "ann@gmail.com"),
        # Another mailbox, however alike it looks: who names approvers must know whom.
        ("ana@shop.example", "\u0430na@shop.example"),
        ("ana@", "ana@" + "x" * 64),
    ],
)
def test_two_people_stay_two(others: tuple[str, str]) -> None:
    assert one_person((*others, USER, ROLE, "slack:U012AB3CD", "team")) is None


def test_what_cannot_be_told_of_approvers_is_said() -> None:
    """A person's mail address, IAM user and Slack account have nothing in common."""
    people = ("ana@shop.example", "ben@shop.example")
    assert list(doubts(people, 2)) == []
    assert list(doubts((*people, USER), 1)) == []
    (said,) = doubts((*people, USER, "slack:U012AB3CD"), 2)
    assert said.startswith(
        "approvers are named as an IAM identity and by mail and in Slack: whoever is named in"
    )
    (said,) = doubts(("\u0430na@shop.example", people[1]), 2)
    assert "words whose letters come from several alphabets: is it whom it looks like?" in said


def test_iam_identities_and_slack_users_are_sent_no_link() -> None:
    assert with_links(("ana@shop.example", USER, "slack:U012AB3CD")) == ("ana@shop.example",)


@pytest.mark.parametrize(
    ("approver", "why"),
    [
        *((one, "") for one in ("ana@shop.example", "ANA+x@shop.example.", "slack:U012AB3CD", "ana")),
        *((f"arn:aws:iam::123456789012:{one}", "") for one in ("root", "user/a/ana", "role/ops")),
        ("arn:aws-cn:sts::123456789012:assumed-role/ops/ana", ""),
        *((f"arn:aws:iam::123456789012:{one}", "no ARN of an IAM user") for one in ("group/ops", "user")),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", "no ARN of an IAM user"),
        *((one, "no mail address") for one in ("ana@", "@shop.example", "a@b@shop.example", "ana@shop")),
        ("slack:ana", "no Slack user's id"),
        ("ana\u2060@shop.example", "cannot be seen: U+2060"),
    ],
)
def test_what_can_be_nobody_who_decides_is_told_apart(approver: str, why: str) -> None:
    said = never(approver)
    assert why in said and bool(said) == bool(why)


def test_a_name_that_decides_only_where_people_sign_in_is_doubted() -> None:
    (said,) = doubts(("ana", "ben@shop.example"), 1)
    assert said.startswith("approver ana is no mail address")
