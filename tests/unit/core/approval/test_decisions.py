"""Deciding: exactly one wins, everybody else is told, and a crash in between loses nothing."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.core.approval.approvals import ApprovalStatus, Verdict
from functions.core.approval.decisions import COMMENT_LIMIT, Decision, DecisionInvalid, Standing
from functions.core.incidents.incident import Status

if TYPE_CHECKING:
    from tests.unit.conftest import Scene

APPROVE = Decision(Verdict.APPROVE, "ana", comment="fine", source_ip="203.0.113.9")
REVISE = Decision(Verdict.REVISE, "ben", comment="Keep the KeyError for callers.")
REJECT = Decision(Verdict.REJECT, "cem", comment="no", reason="wrong_fix", via="iam")


@pytest.mark.parametrize("decision", [APPROVE, REVISE, REJECT], ids=lambda d: str(d.verdict))
def test_a_decision_reaches_the_workflow_with_what_it_is_bound_to(scene: Scene, decision: Decision) -> None:
    approval = scene.approval()
    answer = scene.decisions.decide(approval.approval_id, decision)
    assert answer.standing is Standing.ACCEPTED
    assert answer.approval
    assert answer.approval.status is ApprovalStatus.DELIVERED
    assert scene.workflow.received == [
        {
            "decision": str(decision.verdict),
            "by": decision.by,
            "comment": decision.comment,
            "reason": decision.reason,
            "patch_sha256": approval.patch_sha256,
            "base_sha": approval.base_sha,
            "approval_id": approval.approval_id,
            "decided_at": answer.approval.decided_at,
        }
    ]


def test_the_incident_no_longer_awaits_approval(scene: Scene) -> None:
    approval = scene.approval()
    scene.decisions.decide(approval.approval_id, APPROVE)
    assert scene.incidents.get(approval.incident_id).status is Status.HEALING


def test_a_decision_about_an_incident_that_is_gone_still_counts(scene: Scene) -> None:
    approval = scene.approval()
    scene.incidents_table.delete_item(Key={"incident_id": approval.incident_id})
    assert scene.decisions.decide(approval.approval_id, APPROVE).standing is Standing.ACCEPTED


def test_whoever_comes_second_is_told_what_was_decided_and_by_whom(scene: Scene) -> None:
    approval = scene.approval()
    scene.decisions.decide(approval.approval_id, APPROVE)
    answer = scene.decisions.decide(approval.approval_id, REJECT)
    assert answer.standing is Standing.ALREADY_DECIDED
    assert answer.approval
    assert (answer.approval.decision, answer.approval.by) == ("approve", "ana")
    assert len(scene.workflow.received) == 1


def test_a_double_click_is_the_same_decision(scene: Scene) -> None:
    approval = scene.approval()
    answers = [scene.decisions.decide(approval.approval_id, APPROVE) for _ in range(2)]
    assert [answer.standing for answer in answers] == [Standing.ACCEPTED, Standing.ACCEPTED]
    assert len(scene.workflow.received) == 1


def test_a_superseded_approval_is_not_decided(scene: Scene) -> None:
    approval = scene.approval()
    scene.approvals.supersede(approval.approval_id)
    assert scene.decisions.decide(approval.approval_id, APPROVE).standing is Standing.SUPERSEDED
    assert scene.workflow.received == []


def test_an_unknown_approval_is_not_found(scene: Scene) -> None:
    assert scene.decisions.decide("nothing", APPROVE).standing is Standing.NOT_FOUND


def test_an_approval_whose_time_is_over_expires(scene: Scene) -> None:
    approval = scene.approval(expires_at=int(time.time()) - 1)
    assert scene.decisions.decide(approval.approval_id, APPROVE).standing is Standing.EXPIRED
    assert scene.kept(approval.approval_id).status is ApprovalStatus.EXPIRED


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_decision_that_nobody_waits_for_expires(scene: Scene, code: str) -> None:
    approval = scene.approval()
    scene.workflow.fail_next.append(code)
    answer = scene.decisions.decide(approval.approval_id, APPROVE)
    assert answer.standing is Standing.EXPIRED
    assert answer.approval
    assert answer.approval.by == "ana"


def test_a_decision_that_aws_lost_is_delivered_by_whoever_comes_next(scene: Scene) -> None:
    approval = scene.approval()
    scene.workflow.fail_next.append("ThrottlingException")
    with pytest.raises(ClientError):
        scene.decisions.decide(approval.approval_id, APPROVE)
    assert scene.kept(approval.approval_id).status is ApprovalStatus.DECIDED

    answer = scene.decisions.decide(approval.approval_id, REJECT)

    assert answer.standing is Standing.ALREADY_DECIDED
    assert [received["decision"] for received in scene.workflow.received] == ["approve"]
    assert answer.approval
    assert answer.approval.status is ApprovalStatus.DELIVERED


def test_opening_the_page_delivers_what_was_decided(scene: Scene) -> None:
    approval = scene.approval()
    scene.workflow.fail_next.append("ThrottlingException")
    with pytest.raises(ClientError):
        scene.decisions.decide(approval.approval_id, APPROVE)
    row = scene.kept(approval.approval_id)
    assert scene.decisions.standing(row).standing is Standing.ALREADY_DECIDED
    assert len(scene.workflow.received) == 1


def test_a_delivery_whose_answer_was_lost_is_recognised_in_the_history(scene: Scene) -> None:
    approval = scene.approval()
    scene.workflow.die_after_next = True
    with pytest.raises(ClientError):
        scene.decisions.decide(approval.approval_id, APPROVE)
    answer = scene.decisions.decide(approval.approval_id, APPROVE)
    assert answer.standing is Standing.ACCEPTED
    assert answer.approval
    assert answer.approval.status is ApprovalStatus.DELIVERED
    assert len(scene.workflow.received) == 1


def test_a_delivery_that_somebody_else_is_just_noting_is_not_called_expired(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = scene.approval()
    scene.workflow.fail_next += ["ThrottlingException", "TaskTimedOut"]
    with pytest.raises(ClientError):
        scene.decisions.decide(approval.approval_id, APPROVE)

    def meanwhile(_: float) -> None:
        scene.approvals.delivered(approval.approval_id)

    monkeypatch.setattr("functions.core.approval.decisions.time.sleep", meanwhile)
    assert scene.decisions.decide(approval.approval_id, REJECT).standing is Standing.ALREADY_DECIDED
    assert scene.kept(approval.approval_id).status is ApprovalStatus.DELIVERED


def test_a_late_delivery_does_not_turn_back_an_incident_that_went_on(scene: Scene) -> None:
    approval = scene.approval(1)
    scene.workflow.fail_next.append("ThrottlingException")
    with pytest.raises(ClientError):
        scene.decisions.decide(approval.approval_id, REVISE)
    scene.approval(2)
    scene.decisions.decide(approval.approval_id, REVISE)
    assert scene.incidents.get(approval.incident_id).status is Status.AWAITING_APPROVAL


def test_a_token_sealed_for_one_approval_opens_no_other(scene: Scene) -> None:
    sealed = scene.tokens.seal("secret", "approval-1")
    assert scene.tokens.open(sealed, "approval-1") == "secret"
    assert b"secret" not in sealed
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        scene.tokens.open(sealed, "approval-2")


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision(Verdict.REVISE, "ana"), "what should change"),
        (Decision(Verdict.REVISE, "ana", comment=" \n\u200b "), "what should change"),
        (Decision(Verdict.REJECT, "ana"), "why you reject"),
        (Decision(Verdict.REJECT, "ana", reason="invented"), "why you reject"),
        (Decision(Verdict.REJECT, "ana", reason="other"), "in a few words"),
        (Decision(Verdict.APPROVE, "ana", comment="x" * (COMMENT_LIMIT + 1)), "4,000"),
    ],
)
def test_an_incomplete_decision_is_explained_and_changes_nothing(
    scene: Scene, decision: Decision, message: str
) -> None:
    approval = scene.approval()
    with pytest.raises(DecisionInvalid, match=f"(?i){message}"):
        scene.decisions.decide(approval.approval_id, decision)
    assert scene.approvals.get(approval.approval_id) == approval


def test_comments_are_kept_clean() -> None:
    decision = Decision(Verdict.APPROVE, "ana", comment=" a\r\nb\x00\u202ec \n", reason="wrong_fix").checked()
    assert (decision.comment, decision.reason) == ("a\nbc", "")


@pytest.mark.usefixtures("atomic_table")
def test_of_conflicting_decisions_at_once_exactly_one_wins(scene: Scene) -> None:
    for number in range(40):  # tests/bench/bench_page.py plays 200 rounds, on the embedded run
        approval = scene.approval(approval_id=f"approval-{number}")
        scene.workflow.received.clear()
        answers: list[Any] = []
        start = threading.Barrier(3)

        def decide(decision: Decision, name: str, start: Any = start, answers: Any = answers) -> None:
            start.wait()
            answers.append((decision, scene.decisions.decide(name, decision)))

        threads = [
            threading.Thread(target=decide, args=(decision, approval.approval_id))
            for decision in (APPROVE, REVISE, REJECT)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        winners = [decision for decision, answer in answers if answer.standing is Standing.ACCEPTED]
        losers = [answer for _, answer in answers if answer.standing is Standing.ALREADY_DECIDED]
        row = scene.kept(approval.approval_id)
        assert len(winners) == 1, json.dumps([str(answer.standing) for _, answer in answers])
        assert len(losers) == 2
        assert {answer.approval.by for answer in losers} == {winners[0].by}
        assert [received["by"] for received in scene.workflow.received] == [winners[0].by]
        assert (row.status, row.by) == (ApprovalStatus.DELIVERED, winners[0].by)
