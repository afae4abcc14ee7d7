"""The approvals table: every move is conditional, the answer and its audit record stay."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Approval, ApprovalStatus, Verdict

if TYPE_CHECKING:
    from tests.unit.conftest import Scene

ANSWER: dict[str, Any] = {
    "decision": Verdict.APPROVE,
    "by": "ana@example.com",
    "comment": "looks right",
    "reason": "",
    "source_ip": "203.0.113.9",
    "via": "link",
}


def test_an_opened_approval_reads_back_whole(scene: Scene) -> None:
    approval = scene.approval()
    assert scene.approvals.get(approval.approval_id) == approval
    assert approval.status is ApprovalStatus.PENDING
    assert approval.created_at
    assert approval.ttl > approval.expires_at


def test_what_is_unknown_is_none(scene: Scene) -> None:
    assert scene.approvals.get("nothing") is None
    assert scene.approvals.decide("nothing", **ANSWER) is None
    assert scene.approvals.supersede("nothing") is None
    assert scene.approvals.get("nothing") is None


def test_the_audit_record_says_who_when_what_and_from_where_but_not_the_token(scene: Scene) -> None:
    scene.approvals.decide(scene.approval().approval_id, **ANSWER)
    audit = scene.kept(scene.approval().approval_id).audit()
    assert {name: audit[name] for name in ANSWER} == ANSWER | {"decision": "approve"}
    assert audit["decided_at"]
    assert len(audit["patch_sha256"]) == 64
    assert "token" not in audit


@pytest.mark.parametrize(
    ("moves", "status", "token_kept"),
    [
        ((), ApprovalStatus.PENDING, True),
        (("decide",), ApprovalStatus.DECIDED, True),
        (("decide", "delivered"), ApprovalStatus.DELIVERED, False),
        (("decide", "expire"), ApprovalStatus.EXPIRED, False),
        (("decide", "expire", "delivered"), ApprovalStatus.DELIVERED, False),
        (("decide", "delivered", "expire"), ApprovalStatus.DELIVERED, False),
        (("decide", "supersede"), ApprovalStatus.DECIDED, True),
        (("supersede",), ApprovalStatus.SUPERSEDED, False),
        (("supersede", "decide"), ApprovalStatus.SUPERSEDED, False),
        (("expire", "decide"), ApprovalStatus.EXPIRED, False),
        (("delivered",), ApprovalStatus.PENDING, True),
        (("carry",), ApprovalStatus.PENDING, True),
        (("decide", "delivered", "carry"), ApprovalStatus.DECIDED, True),
        (("decide", "delivered", "carry", "carry", "delivered"), ApprovalStatus.DELIVERED, False),
        (("reject", "delivered", "carry"), ApprovalStatus.DELIVERED, False),
        (("supersede", "carry"), ApprovalStatus.SUPERSEDED, False),
    ],
)
def test_only_the_moves_of_the_picture_are_possible(
    scene: Scene, moves: tuple[str, ...], status: ApprovalStatus, token_kept: bool
) -> None:
    name = scene.approval().approval_id
    known: dict[str, Callable[[], Any]] = {
        "decide": lambda: scene.approvals.decide(name, **ANSWER),
        "reject": lambda: scene.approvals.decide(name, **ANSWER | {"decision": Verdict.REJECT}),
        "carry": lambda: scene.approvals.carry(name, "evidence@sha256:2", b"another token"),
    }
    for move in moves:
        known.get(move, lambda move=move: getattr(scene.approvals, move)(name))()
    row = scene.kept(name)
    assert (row.status, bool(row.token)) == (status, token_kept)


def test_a_decision_after_the_time_is_over_is_refused(scene: Scene) -> None:
    approval = scene.approval(expires_at=int(time.time()) - 1)
    assert scene.approvals.decide(approval.approval_id, **ANSWER) is None
    assert scene.kept(approval.approval_id).status is ApprovalStatus.PENDING


def again(scene: Scene, approval: Approval) -> Approval:
    """What a retried step does: the same question with a new task token."""
    reopened: Approval = scene.approvals.open(
        replace(approval, token=b"newer", expires_at=approval.expires_at + 60, status=ApprovalStatus.PENDING)
    )
    return reopened


def test_asking_again_renews_an_unanswered_approval(scene: Scene) -> None:
    approval = scene.approval()
    renewed = again(scene, approval)
    assert (renewed.token, renewed.expires_at) == (b"newer", approval.expires_at + 60)
    assert renewed.created_at == approval.created_at


def test_asking_again_keeps_an_undelivered_answer(scene: Scene) -> None:
    approval = scene.approval()
    scene.approvals.decide(approval.approval_id, **ANSWER)
    renewed = again(scene, approval)
    assert (renewed.status, renewed.by, renewed.token) == (
        ApprovalStatus.DECIDED,
        "ana@example.com",
        b"newer",
    )


def test_asking_again_revives_an_answer_that_came_while_nobody_waited(scene: Scene) -> None:
    approval = scene.approval()
    scene.approvals.decide(approval.approval_id, **ANSWER)
    scene.approvals.expire(approval.approval_id)
    assert again(scene, approval).status is ApprovalStatus.DECIDED


def test_asking_again_reopens_what_expired_without_an_answer(scene: Scene) -> None:
    approval = scene.approval()
    scene.approvals.expire(approval.approval_id)
    assert again(scene, approval).status is ApprovalStatus.PENDING


@pytest.mark.parametrize("end", ["delivered", "supersede"])
def test_asking_again_does_not_reopen_what_is_over(scene: Scene, end: str) -> None:
    approval = scene.approval()
    if end == "delivered":
        scene.approvals.decide(approval.approval_id, **ANSWER)
    ended = getattr(scene.approvals, end)(approval.approval_id)
    assert again(scene, approval) == ended


def test_the_audit_trail_runs_backwards_through_every_question(scene: Scene) -> None:
    first = scene.approval(1)
    second = scene.approval(2, previous_id=first.approval_id)
    third = scene.approval(3, previous_id=second.approval_id)
    trail = scene.approvals.history(third.approval_id)
    assert [each.attempt for each in trail] == [3, 2, 1]
    assert scene.approvals.history("") == []


def test_a_trail_that_loops_ends(scene: Scene) -> None:
    approval = scene.approval(previous_id="approval-1-of-the-scene-with-entropy")
    assert 1 < len(scene.approvals.history(approval.approval_id)) <= 50
