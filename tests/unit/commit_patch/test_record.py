"""Nothing is committed but what the record says was approved, by those who may, and by enough of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.commit_patch.commit import Approved
from functions.commit_patch.record import confirmed, sent_by_hand
from functions.commit_patch.step import run
from functions.core.approval.approvals import Approval, ApprovalStatus
from functions.core.approval.approvers import EVERYBODY
from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings
from functions.core.incidents.incident import Incident
from functions.core.workflow.errors import ApprovalMismatch, PermanentError
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
    source_key="source@sha256:1",
    head_key="head@sha256:1",
    dependencies_key="dependencies/1.tar.gz",
    review_key="review@sha256:1",
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
    "app": "orders",
    "source": {"base_sha": "b" * 40, "key": "source@sha256:1", "head_key": "head@sha256:1"},
    "dependencies": {"key": "dependencies/1.tar.gz"},
    "proposal": {"key": "proposal@sha256:1"},
    "review": {"key": "review@sha256:1"},
    "validation": {
        "patch_sha256": "p" * 64,
        "patch_key": "patch@sha256:1",
        "evidence_key": "evidence@sha256:1",
    },
    "decision": {"approval_id": "a", "decision": "approve"},
}
ITEM = {"incident_id": "orders-1", "app": "orders", "fingerprint": "1", "approval_id": "a"}
INCIDENT = Incident.from_item(
    ITEM | {"status": "HEALING", "error_type": "KeyError", "title": "KeyError", "execution_arn": "h"}
)
ENTRY = {"repository": "https://github.com/shop/orders.git", "log_groups": ["/app"]}


def app(**entry: Any) -> App:
    """The app's entry as it is now."""
    return App.from_json("orders", ENTRY | {"approvers": [ANA, BEN]} | entry)


def confirm(record: Approval | None, incident: Incident = INCIDENT, by: str = "", **entry: Any) -> Approved:
    """by: whom the state tells of, who is whom the record names."""
    told = by or (record.deciders if record else ANA)
    state = STATE | {"decision": STATE["decision"] | {"by": told}}
    return confirmed(record, HealState.from_json(state), incident, app(**entry))


def test_what_was_approved_is_what_the_record_says() -> None:
    approved = confirm(APPROVED)
    assert (approved.patch_sha256, approved.base_sha, approved.by) == ("p" * 64, "b" * 40, ANA)
    two = replace(APPROVED, approvals_needed=2, first_by=BEN)
    assert confirm(two).by == f"{BEN} and {ANA}"


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
        ({"source_key": "source@sha256:2"}, "differs in its source_key"),
        ({"head_key": "head@sha256:2"}, "differs in its head_key"),
        ({"dependencies_key": "dependencies/2.tar.gz"}, "differs in its dependencies_key"),
        ({"review_key": "review@sha256:2"}, "differs in its review_key"),
        ({"heal_id": "other"}, "differs in its heal_id"),
        ({"incident_id": "orders-2"}, "differs in its incident_id"),
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ApprovalMismatch, match=said):
        confirm(replace(APPROVED, **changes))


def test_an_approval_that_holds_for_a_later_proof_tells_which_evidence_people_saw() -> None:
    carried = replace(APPROVED, evidence_key="evidence@sha256:0", carried_to="evidence@sha256:1")
    assert confirm(carried).carried_from == "evidence@sha256:0"
    assert confirm(APPROVED).carried_from is None
    with pytest.raises(ApprovalMismatch, match="differs in its evidence_key"):
        confirm(replace(carried, carried_to="evidence@sha256:2"))


def test_what_a_step_wrote_twice_is_what_was_approved() -> None:
    assert confirm(replace(APPROVED, patch_key="patch?versionId=7@sha256:1"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"approvers": [BEN]}, "who may not"),
        ({"approvals_needed": 2}, "one has approved"),
    ],
    ids=["is an approver no longer", "it takes two by now"],
)
def test_what_the_app_says_now_holds_too(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(ApprovalMismatch, match=said):
        confirm(APPROVED, **entry)


def test_a_link_for_everybody_is_nobody_s_once_the_app_names_approvers() -> None:
    everybody = replace(APPROVED, approvers=(), by=EVERYBODY)
    assert confirm(everybody, approvers=[]).by == EVERYBODY
    with pytest.raises(ApprovalMismatch, match="who may not"):
        confirm(everybody)


def test_an_approval_after_which_another_question_was_asked_is_refused() -> None:
    """Another execution has the incident by now, say, and this one is redriven."""
    with pytest.raises(ApprovalMismatch, match="another question was asked since"):
        confirm(APPROVED, replace(INCIDENT, approval_id="b"))


def test_an_approval_that_is_told_of_somebody_else_is_refused() -> None:
    """Whoever has the token could put another name into the pull request."""
    with pytest.raises(ApprovalMismatch, match=r"'ben@shop\.example' is not who approved it"):
        confirm(APPROVED, by=BEN)


def test_an_approval_from_before_sources_were_noted_counts() -> None:
    assert confirm(replace(APPROVED, source_key="", head_key="", dependencies_key="", review_key=""))


def test_an_approval_that_is_not_there_is_refused() -> None:
    with pytest.raises(ApprovalMismatch, match="there is no approval 'a'"):
        confirm(None)


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
    approved = sent_by_hand(HealState.from_json(BY_HAND), app(approvers=[]))
    assert (approved.patch_sha256, approved.base_sha, approved.by) == ("p" * 64, "b" * 40, ANA)


@pytest.mark.parametrize("decides", [False, None, "true"])
def test_a_decision_without_a_record_is_refused_where_the_app_says_who_decides(decides: Any) -> None:
    with pytest.raises(ApprovalMismatch, match="nobody's approval is on record"):
        sent_by_hand(HealState.from_json(BY_HAND | {"callback_decides": decides}), app(approvers=[]))


def test_a_decision_without_a_record_is_refused_once_the_app_names_approvers() -> None:
    with pytest.raises(ApprovalMismatch, match="nobody's approval is on record"):
        sent_by_hand(HealState.from_json(BY_HAND), app())


class Holding:
    """A table, or the registry, that gives this one thing."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def get(self, _: str) -> Any:
        return self.thing

    app = get


def around(record: Approval | None, incident: Incident = INCIDENT) -> Deployment:
    return Deployment(
        Settings(),
        approvals=Holding(record),
        incidents=Holding(incident),
        registry=Holding(app()),
        artifacts_of=lambda heal: None,
    )


@pytest.mark.parametrize("owner", ["", "arn:aws:states:us-east-1:123456789012:execution:self-heal:other"])
def test_an_execution_whose_incident_was_started_over_commits_nothing_however_well_it_was_approved(
    owner: str,
) -> None:
    with pytest.raises(PermanentError, match="belongs to another execution"):
        run(HealState.from_json(STATE), around(APPROVED, replace(INCIDENT, execution_arn=owner)))


@pytest.mark.parametrize("record", [None, replace(APPROVED, decision="", by="")], ids=["none", "undecided"])
def test_a_decision_that_is_not_on_record_has_people_asked_again_where_the_workflow_can(
    record: Approval | None,
) -> None:
    """It was sent with the task token: no redrive of this step would ever put it on record."""
    deployment = around(record)
    answer = run(HealState.from_json(STATE | {"may_ask": True}), deployment).to_state()
    assert answer["unconfirmed"].endswith("nothing was committed")
    assert not answer["sha"]
    with pytest.raises(ApprovalMismatch):  # A heal that began under an older workflow.
        run(HealState.from_json(STATE), deployment)
