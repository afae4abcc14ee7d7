"""Approvers, two different people, and authors of changes: when an approval counts, and when it is enough."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Approval, ApprovalStatus, Verdict
from functions.core.approval.decisions import Answer, Decision, Standing

if TYPE_CHECKING:
    from tests.unit.conftest import Scene

ANA, BEN, CEM = "ana@shop.example", "ben@shop.example", "cem@shop.example"
ANA_BY_IAM = f"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_1/{ANA}"


def approve(scene: Scene, approval: Approval, who: str, comment: str = "") -> Answer:
    return scene.decisions.decide(approval.approval_id, Decision(Verdict.APPROVE, who, comment))


@pytest.fixture
def two(scene: Scene) -> Approval:
    return scene.approval(approvers=(ANA, BEN, CEM), approvals_needed=2)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_whoever_is_no_approver_decides_nothing(scene: Scene, verdict: Verdict) -> None:
    approval = scene.approval(approvers=(ANA,))
    answer = scene.decisions.decide(
        approval.approval_id, Decision(verdict, BEN, comment="x", reason="wrong_fix")
    )
    assert answer.standing is Standing.NOT_ALLOWED
    assert scene.approvals.get(approval.approval_id) == approval
    assert scene.workflow.received == []


def test_the_first_of_two_approvals_leaves_the_question_open(scene: Scene, two: Approval) -> None:
    answer = approve(scene, two, ANA, "fine")
    assert answer.standing is Standing.ENDORSED
    assert answer.approval
    assert (answer.approval.status, answer.approval.first_by) == (ApprovalStatus.PENDING, ANA)
    assert scene.workflow.received == []


def test_the_second_person_completes_it_and_both_are_recorded(scene: Scene, two: Approval) -> None:
    approve(scene, two, ANA, "fine")
    assert approve(scene, two, BEN, "good").standing is Standing.ACCEPTED
    (received,) = scene.workflow.received
    assert (received["by"], received["comment"]) == (f"{ANA} and {BEN}", "fine\n\ngood")
    audit = scene.kept(two.approval_id).audit()
    assert (audit["first_by"], audit["by"], bool(audit["first_at"])) == (ANA, BEN, True)


@pytest.mark.parametrize("again", [ANA, ANA.upper(), ANA_BY_IAM])
def test_the_same_person_is_not_two_however_they_come(scene: Scene, two: Approval, again: str) -> None:
    approve(scene, two, ANA)
    assert approve(scene, two, again).standing is Standing.ENDORSED
    assert scene.workflow.received == []


def test_either_may_still_reject_after_the_first_approval(scene: Scene, two: Approval) -> None:
    approve(scene, two, ANA)
    answer = scene.decisions.decide(
        two.approval_id, Decision(Verdict.REJECT, BEN, reason="too_risky", comment="no")
    )
    assert answer.standing is Standing.ACCEPTED
    (received,) = scene.workflow.received
    assert (received["decision"], received["by"], received["comment"]) == ("reject", BEN, "no")


@pytest.mark.usefixtures("atomic_table")
def test_of_three_who_approve_at_once_two_make_it_and_the_third_is_told(scene: Scene) -> None:
    for number in range(20):
        approval = scene.approval(approval_id=f"two-{number}", approvers=(ANA, BEN, CEM), approvals_needed=2)
        scene.workflow.received.clear()
        standings: list[Standing] = []
        start = threading.Barrier(3)

        def click(who: str, at: Any = approval, start: Any = start, into: Any = standings) -> None:
            start.wait()
            into.append(approve(scene, at, who).standing)

        threads = [threading.Thread(target=click, args=(who,)) for who in (ANA, BEN, CEM)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(scene.workflow.received) == 1
        row = scene.kept(approval.approval_id)
        assert row.first_by != row.by
        assert standings.count(Standing.ACCEPTED) >= 1
        assert Standing.NOT_ALLOWED not in standings


@pytest.mark.parametrize(
    ("approvers", "who", "standing"),
    [
        ((ANA, BEN), ANA, Standing.ENDORSED),
        ((ANA, BEN), ANA_BY_IAM, Standing.ENDORSED),
        ((ANA, BEN), BEN, Standing.ACCEPTED),
        # Where nobody else is named, or nobody at all, the question could never be answered.
        ((ANA,), ANA, Standing.ACCEPTED),
        ((), ANA, Standing.ACCEPTED),
    ],
    ids=["author", "author-by-iam", "somebody-else", "only-approver", "nobody-named"],
)
def test_whoever_asked_for_the_change_is_not_the_only_approver(
    scene: Scene, approvers: tuple[str, ...], who: str, standing: Standing
) -> None:
    approval = scene.approval(approvers=approvers, change_authors=(ANA,))
    assert approve(scene, approval, who).standing is standing


def test_decisions_can_be_tried_only_so_often(scene: Scene) -> None:
    approval = scene.approval()
    assert [scene.approvals.try_once(approval.approval_id, 3) for _ in range(5)] == [True] * 3 + [False] * 2
    assert not scene.approvals.try_once("nothing", 3)
