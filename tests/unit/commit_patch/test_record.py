"""Nothing is committed but what the record says was approved, by those who may, and by enough of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.commit_patch.record import confirmed, sent_by_hand
from functions.commit_patch.step import run
from functions.core.approval.approvals import Approval, ApprovalStatus
from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings
from functions.core.workflow.errors import ApprovalMismatch
from functions.core.workflow.state import HealState

ANA, BEN = "ana@shop.example", "ben@shop.example"
ANA_BY_IAM = f"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_1/{ANA}"
APPROVED = Approval(
    approval_id="a",
    incident_id="orders-1",
    app="orders",
    heal_id="h",
    execution_arn="arn:aws:states:eu-central-1:111122223333:execution:self-heal:h",
    attempt=1,
    redrive_count=0,
    patch_sha256="p" * 64,
    base_sha="b" * 40,
    patch_key="patch@sha256:1",
    evidence_key="evidence@sha256:1",
    proposal_key="proposal@sha256:1",
    expires_at=0,
    approvers=(ANA, BEN),
    status=ApprovalStatus.DELIVERED,
    decision="approve",
    by=ANA,
    decided_at="2026-11-20T12:00:00+00:00",
)
STATE: dict[str, Any] = {
    "incident_id": "orders-1",
    "heal_id": "h",
    "source": {"base_sha": "b" * 40},
    "proposal": {"key": "proposal@sha256:1"},
    "validation": {
        "patch_sha256": "p" * 64,
        "patch_key": "patch@sha256:1",
        "evidence_key": "evidence@sha256:1",
    },
    "decision": {"approval_id": "a", "decision": "approve"},
}


def test_what_was_approved_is_what_the_record_says() -> None:
    approved = confirmed(APPROVED, HealState.from_json(STATE))
    assert (approved.patch_sha256, approved.base_sha, approved.by) == ("p" * 64, "b" * 40, ANA)
    two = replace(APPROVED, approvals_needed=2, first_by=BEN)
    assert confirmed(two, HealState.from_json(STATE)).by == f"{BEN} and {ANA}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decision": "reject"}, "the record says 'reject'"),
        ({"decision": "", "by": ""}, "the record says"),
        ({"by": "eve@evil.example"}, "who may not"),
        ({"first_by": "eve@evil.example"}, "who may not"),
        ({"approvals_needed": 2}, "one has approved"),
        ({"approvals_needed": 2, "first_by": ANA.upper()}, "one has approved"),
        ({"approvals_needed": 2, "first_by": ANA_BY_IAM}, "one has approved"),
        ({"change_authors": (ANA,)}, "one has approved"),
        ({"patch_sha256": "0" * 64}, "differs in its patch_sha256"),
        ({"base_sha": "0" * 40}, "differs in its base_sha"),
        ({"evidence_key": "evidence@sha256:2"}, "differs in its evidence_key"),
        ({"proposal_key": "proposal@sha256:2"}, "differs in its proposal_key"),
        ({"heal_id": "other"}, "differs in its incident"),
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ApprovalMismatch, match=said):
        confirmed(replace(APPROVED, **changes), HealState.from_json(STATE))


def test_an_approval_that_is_not_there_is_refused() -> None:
    with pytest.raises(ApprovalMismatch, match="there is no approval 'a'"):
        confirmed(None, HealState.from_json(STATE))


BY_HAND = STATE | {
    "callback_decides": True,
    "decision": {
        "approval_id": "",
        "decision": "approve",
        "by": ANA,
        "patch_sha256": "p" * 64,
        "base_sha": "b" * 40,
        "decided_at": "2026-11-20T12:00:00+00:00",
    },
}


def test_a_decision_sent_by_hand_counts_where_whoever_may_answer_the_task_decides() -> None:
    approved = sent_by_hand(HealState.from_json(BY_HAND))
    assert (approved.patch_sha256, approved.base_sha, approved.by) == ("p" * 64, "b" * 40, ANA)


@pytest.mark.parametrize("decides", [False, None, "true"])
def test_a_decision_without_a_record_is_refused_where_the_app_says_who_decides(decides: Any) -> None:
    with pytest.raises(ApprovalMismatch, match="nobody's approval is on record"):
        sent_by_hand(HealState.from_json(BY_HAND | {"callback_decides": decides}))


class Records:
    """The approvals table, with or without this one."""

    def __init__(self, record: Approval | None) -> None:
        self.record = record

    def get(self, approval_id: str) -> Approval | None:
        return self.record


@pytest.mark.parametrize("record", [None, replace(APPROVED, decision="", by="")], ids=["none", "undecided"])
def test_a_decision_that_is_not_on_record_has_people_asked_again_where_the_workflow_can(
    record: Approval | None,
) -> None:
    """It was sent with the task token: no redrive of this step would ever put it on record."""
    deployment = Deployment(Settings(), approvals=Records(record), artifacts_of=lambda heal: None)
    answer = run(HealState.from_json(STATE | {"may_ask": True}), deployment).to_state()
    assert answer["unconfirmed"].endswith("nothing was committed")
    assert not answer["sha"]
    with pytest.raises(ApprovalMismatch):  # A heal that began under an older workflow.
        run(HealState.from_json(STATE), deployment)
