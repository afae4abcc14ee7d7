"""Decisions from the command line: whose they are says AWS, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3
from botocore.exceptions import ClientError
from pytest_httpserver import HTTPServer

from functions.core.approval import callers
from functions.core.approval.approvals import ApprovalStatus, Verdict
from functions.core.approval.callers import MAX_AGE_SECONDS, CallerNotProven, Signed, sign, whose
from functions.core.approval.orders import Order
from functions.take_decision.take import Counter
from tests.fakes.sts import ACCOUNT, Sts, serving

if TYPE_CHECKING:
    from tests.unit.conftest import Scene

ANA, BEN = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("ana", "ben"))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Release"


@dataclass
class Desk:
    """The function, and people who sign."""

    sts: Sts
    scene: Any

    @property
    def counter(self) -> Counter:
        return Counter(self.scene.approvals, self.scene.decisions, self.sts.client, boto3.client("iam"))

    def signed(self, who: str, order: Order, token: str | None = None) -> dict[str, Any]:
        """What the command sends when somebody decides."""
        signature = sign(order.purpose, self.sts.credentials(who, token), self.sts.client)
        return {**order.to_json(), "signed": signature.to_json()}

    def take(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.counter.take(event)

    @property
    def received(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.scene.workflow.received
        return found


@pytest.fixture
def desk(scene: Scene, httpserver: HTTPServer) -> Desk:
    return Desk(serving(httpserver), scene)


def approve(approval: Any, **changes: Any) -> Order:
    return replace(Order(approval.approval_id, approval.patch_sha256, Verdict.APPROVE), **changes)


@pytest.mark.parametrize("token", [None, "a/token+of=a-session=="])
def test_whoever_signs_decides(desk: Desk, token: str | None) -> None:
    approval = desk.scene.approval(approvers=(ANA,))

    answer = desk.take(desk.signed(ANA, approve(approval, comment="fine, 好"), token))

    assert answer == {"outcome": "accepted", "by": ANA}
    (received,) = desk.received
    assert (received["by"], received["comment"]) == (ANA, "fine, 好")
    assert desk.scene.kept(approval.approval_id).via == "iam"


def test_a_decision_whose_delivery_was_not_noted_is_found_in_the_history(desk: Desk) -> None:
    approval = desk.scene.approval(approvers=(ANA,))
    desk.scene.workflow.die_after_next = True
    with pytest.raises(ClientError, match="InternalError"):
        desk.take(desk.signed(ANA, approve(approval)))

    desk.take(desk.signed(ANA, approve(approval)))

    assert desk.scene.kept(approval.approval_id).status is ApprovalStatus.DELIVERED
    assert len(desk.received) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": "reject", "reason": "wrong_fix"},
        {"comment": "and do something else"},
        {"reason": "other"},
        {"approval_id": "another-approval-of-the-scene-with-entropy"},
        {"by": BEN, "caller": BEN, "signed_by": BEN},
    ],
    ids=lambda changed: "+".join(changed),
)
def test_a_signature_is_good_for_what_was_signed_and_a_name_that_is_told_is_not_read(
    desk: Desk, changed: dict[str, str]
) -> None:
    approval = desk.scene.approval()
    desk.scene.approval(approval_id="another-approval-of-the-scene-with-entropy")

    answer = desk.take(desk.signed(ANA, approve(approval)) | changed)

    if "by" in changed:
        assert answer == {"outcome": "accepted", "by": ANA}
    else:
        assert answer["problem"] == "AWS STS refuses what was signed: SignatureDoesNotMatch"
        assert desk.received == []


def test_what_is_asked_about_now_must_be_what_was_shown(desk: Desk) -> None:
    approval = desk.scene.approval()
    answer = desk.take(desk.signed(ANA, approve(approval, patch_sha256="0" * 64)))
    assert (answer["outcome"], desk.received) == ("refused", [])


def test_an_order_that_comes_again_decides_nothing_more(desk: Desk) -> None:
    event = desk.signed(ANA, approve(desk.scene.approval()))
    assert desk.take(event) == desk.take(event)
    assert len(desk.received) == 1

    two = desk.scene.approval(approval_id="two", approvers=(ANA, BEN), approvals_needed=2)
    event = desk.signed(ANA, approve(two))
    assert [desk.take(event)["outcome"] for _ in range(3)] == ["endorsed"] * 3
    assert len(desk.received) == 1


@pytest.mark.parametrize(
    "sessions",
    [
        (ANA, ANA),
        # Of a role's session the caller chooses the name.
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/Release/ana",
            f"arn:aws:sts::{ACCOUNT}:assumed-role/Release/ben",
        ),
    ],
    ids=["user", "role"],
)
def test_one_person_is_not_two_whatever_they_call_themselves(desk: Desk, sessions: tuple[str, str]) -> None:
    two = desk.scene.approval(approvers=(ANA, BEN, ROLE), approvals_needed=2)
    outcomes = [desk.take(desk.signed(who, approve(two)))["outcome"] for who in sessions]
    assert (outcomes, desk.received) == (["endorsed", "endorsed"], [])
    assert desk.take(desk.signed(BEN, approve(two)))["outcome"] == "accepted"


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("arn:aws:iam::999999999999:user/ana", "another account"),
        ("arn:aws:sts::999999999999:assumed-role/AWSReservedSSO_Dev_1/ana@shop.example", "another account"),
        (f"arn:aws:sts::999999999999:assumed-role/x/arn:aws:iam::{ACCOUNT}:user/ana", "another account"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/ana", "whoever it likes"),
        (f"arn:aws:sts::{ACCOUNT}:self", "whoever it likes"),
    ],
)
def test_whom_another_account_or_their_own_choice_names_is_nobody(desk: Desk, who: str, why: str) -> None:
    approval = desk.scene.approval()
    answer = desk.take(desk.signed(who, approve(approval)))
    assert (answer["outcome"], why in answer["problem"], desk.received) == ("refused", True, [])
    assert desk.scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


SSO = "AWSReservedSSO_Developer_0123456789abcdef"


def session(name: str) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{SSO}/{name}"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/aws-reserved/sso.amazonaws.com/eu-west-1/", "accepted"),
        ("/aws-reserved/sso.amazonaws.com/", "accepted"),
        ("/", "refused"),
        ("/x/aws-reserved/sso.amazonaws.com/", "refused"),
        (None, "refused"),
    ],
)
def test_a_session_s_name_is_believed_of_identity_center_s_own_roles(
    desk: Desk, path: str | None, outcome: str
) -> None:
    """Whoever may make roles can make one of such a name, and name its sessions as they like."""
    if path:
        boto3.client("iam").create_role(Path=path, RoleName=SSO, AssumeRolePolicyDocument="{}")
    approval = desk.scene.approval(approvers=("ana@shop.example",))
    answer = desk.take(desk.signed(session("ana@shop.example"), approve(approval)))
    assert answer["outcome"] == outcome
    assert bool(desk.received) == (outcome == "accepted")


def test_whoever_is_no_approver_decides_nothing(desk: Desk) -> None:
    answer = desk.take(desk.signed(BEN, approve(desk.scene.approval(approvers=(ANA,)))))
    assert (answer["outcome"], desk.received) == ("not_allowed", [])


HEX = "0" * 64
GOOD = (
    "AWS4-HMAC-SHA256 Credential=AKIA0000000000000000/20261130/us-east-1/sts/aws4_request,"
    f" SignedHeaders=host;x-amz-date;x-self-heal-purpose, Signature={HEX}"
)


@pytest.mark.parametrize(
    "signed",
    [
        None,
        "AWS4-HMAC-SHA256",
        {},
        {"authorization": GOOD, "date": "20261130T080000Z", "token": "", "host": "sts.evil.example"},
        {"authorization": GOOD, "date": "20261130T080000Z", "token": "a\r\nHost: evil.example"},
        {"authorization": GOOD + "\r\nX-Amz-Target: AssumeRole", "date": "20261130T080000Z"},
        {"authorization": GOOD + "\n", "date": "20261130T080000Z"},
        {"authorization": GOOD.replace(";x-self-heal-purpose", ""), "date": "20261130T080000Z"},
        {"authorization": GOOD.replace("x-self-heal-purpose", "x-other"), "date": "20261130T080000Z"},
        {"authorization": GOOD.replace("/sts/", "/s3/"), "date": "20261130T080000Z"},
        {"authorization": GOOD.replace("HMAC-SHA256", "ECDSA-P256-SHA256"), "date": "20261130T080000Z"},
        {"authorization": GOOD, "date": "20261130T080000Z\n"},
        {"authorization": GOOD, "date": "２０２６1130T080000Z"},
        {"authorization": GOOD, "date": "20261330T080000Z"},
        {"authorization": [GOOD], "date": "20261130T080000Z"},
    ],
)
def test_what_the_command_would_not_send_is_not_sent_on(desk: Desk, signed: Any) -> None:
    order = approve(desk.scene.approval())
    answer = desk.take({**order.to_json(), "signed": signed})
    assert (answer["outcome"], desk.sts.asked, desk.received) == ("refused", [], [])


@pytest.mark.parametrize("event", [{}, {"approval_id": ["x"]}, {"approval_id": "", "verdict": "approve"}])
def test_what_is_no_order_is_told_so(desk: Desk, event: dict[str, Any]) -> None:
    assert desk.take(event)["problem"] == "This is no order of the `selfheal` command's."


def test_an_order_about_nothing_is_told_so_without_asking_who_it_is(desk: Desk) -> None:
    order = Order("nothing", "0" * 64, Verdict.APPROVE)
    assert (desk.take(desk.signed(ANA, order))["outcome"], desk.sts.asked) == ("not_found", [])


@pytest.mark.parametrize("sign_", [-1, 1], ids=["old", "of-the-future"])
def test_a_signature_is_good_for_minutes(desk: Desk, sign_: int) -> None:
    signed, iam = sign("p", desk.sts.credentials(ANA), desk.sts.client), boto3.client("iam")
    at = datetime.strptime(signed.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    inside, outside = (at - sign_ * timedelta(seconds=MAX_AGE_SECONDS + more) for more in (0, 1))

    assert whose(signed, "p", ACCOUNT, desk.sts.client, iam, inside) == ANA
    with pytest.raises(CallerNotProven, match="not now"):
        whose(signed, "p", ACCOUNT, desk.sts.client, iam, outside)


def test_somebody_who_does_not_exist_is_nobody(desk: Desk) -> None:
    event = desk.signed(ANA, approve(desk.scene.approval()))
    desk.sts.people.clear()
    assert desk.take(event)["problem"].endswith("InvalidClientTokenId")


def test_a_redirect_is_not_followed_and_a_failure_is_no_answer(desk: Desk) -> None:
    event = desk.signed(ANA, approve(desk.scene.approval()))
    for number, status in enumerate((302, 307, 503), 1):
        desk.sts.instead = (status, {"Location": f"{desk.sts.url}/elsewhere"})
        with pytest.raises(urllib3.exceptions.HTTPError, match=str(status)):
            desk.take(event)
        assert len(desk.sts.asked) == number
    assert desk.received == []


def test_what_is_sent_is_written_here(desk: Desk) -> None:
    order = approve(desk.scene.approval())
    desk.take(desk.signed(ANA, order, "token"))
    (headers,) = desk.sts.asked
    sent = {name for name in headers if name.startswith("x-")}
    assert sent == {"x-amz-date", "x-amz-security-token", "x-self-heal-purpose"}
    assert headers["x-self-heal-purpose"] == order.purpose


def test_a_signature_survives_its_journey() -> None:
    signed = Signed(GOOD, "20261130T080000Z", "token")
    assert Signed.from_json(signed.to_json()) == signed
    assert callers.PURPOSE.lower() in GOOD
