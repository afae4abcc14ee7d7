"""Which claim names a person, and which does not."""

from __future__ import annotations

import pytest

from functions.core.approval.identity import NoIdentity, identity

ANA = "ana@shop.example"


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        pytest.param("email", {"email": ANA, "email_verified": True}, id="as the token has it"),
        pytest.param("email", {"email": ANA, "email_verified": "true"}, id="as API Gateway passes it on"),
        pytest.param(
            "preferred_username", {"preferred_username": ANA}, id="a claim that the deployment names"
        ),
        pytest.param(
            "sub", {"sub": ANA, "email": "x", "email_verified": False}, id="only the named one counts"
        ),
    ],
)
def test_a_claim_that_names_a_person(claim: str, claims: dict[str, object]) -> None:
    assert identity(claims, claim) == ANA


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        pytest.param("email", {"email": ANA, "email_verified": False}, id="an address nobody verified"),
        pytest.param("email", {"email": ANA, "email_verified": "false"}, id="so in API Gateway's words"),
        pytest.param("email", {"email": ANA}, id="an address of which nothing is said"),
        pytest.param("email", {"email": ANA, "email_verified": "1"}, id="another word for true"),
        pytest.param("email", {"sub": "1", "email_verified": "true"}, id="no address"),
        pytest.param("email", {"preferred_username": ANA, "sub": ANA}, id="another claim is no substitute"),
        pytest.param("sub", {"sub": 7}, id="a number"),
        pytest.param("sub", {"sub": ""}, id="nothing"),
        pytest.param("sub", {"sub": "ana shop"}, id="two words"),
        pytest.param("sub", {"sub": "ana\n"}, id="a control character"),
        pytest.param("sub", {"sub": "\u212aate"}, id="a letter that folds to a Latin one"),
        pytest.param("sub", {"sub": "x" * 256}, id="too long"),
        pytest.param("sub", {"sub": "arn:aws:iam::111122223333:role/admin"}, id="an IAM identity"),
        pytest.param("sub", {"sub": "ARN:aws:iam::111122223333:role/admin"}, id="an IAM identity, shouted"),
        pytest.param("sub", {"sub": "slack:U012AB3CD"}, id="a Slack user"),
        pytest.param("sub", {"sub": "Team"}, id="the reader of an open link"),
    ],
)
def test_a_claim_that_names_nobody(claim: str, claims: dict[str, object]) -> None:
    with pytest.raises(NoIdentity):
        identity(claims, claim)
