"""An approval holds for a later proof of the same bytes, with what joined since, if nothing is worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.await_approval.carry import as_good
from functions.await_approval.step import ask
from functions.core.approval.approvals import Approval, ApprovalStatus, Verdict
from functions.core.approval.decisions import Decision
from functions.core.notify.notifications import Notifications
from functions.core.workflow.artifacts import reference
from functions.core.workflow.evidence import Deployed, Evidence, GateResult, Question, Result
from functions.core.workflow.state import HealState
from tests.fakes.deployments import around

if TYPE_CHECKING:
    from tests.unit.conftest import Scene

PASS, FAIL, NOT_RUN, QUESTION = Result.PASS, Result.FAIL, Result.NOT_RUN, Result.QUESTION
ANA, EXPIRES = "ana@example.com", 2_000_000_000
LATE = ("orders-late",)


def gates(**results: Result) -> tuple[GateResult, ...]:
    return tuple(GateResult(gate, result, "") for gate, result in results.items())


def evidence(**results: Result) -> Evidence:
    """joined: whether anybody had joined is told by the gate for it."""
    joined = LATE if "joined_reproduce" in results else ()
    return Evidence(gates(**results), "p" * 64, "b" * 40, joined=joined)


SEEN = evidence(reproduces=PASS, regression_tests=NOT_RUN, worked_stays=PASS)
NOW = evidence(reproduces=PASS, joined_reproduce=PASS, regression_tests=NOT_RUN, worked_stays=PASS)
RAN = [gate.gate for gate in NOW.gates]


def but(**results: Result) -> Evidence:
    """The later proof, with other results."""
    return evidence(**({gate.gate: gate.result for gate in NOW.gates} | results))


ASKED = Question("worked_stays", "Is 9 right for NZ?")


@pytest.mark.parametrize(
    ("seen", "now", "holds"),
    [
        (SEEN, NOW, True),
        (SEEN, evidence(**dict.fromkeys(RAN, PASS)), True),
        (replace(SEEN, questions=(ASKED,)), replace(NOW, questions=(ASKED,)), True),
        (SEEN, replace(NOW, questions=(ASKED,)), False),
        (SEEN, replace(NOW, warnings=("conftest.py is left out",)), False),
        (SEEN, but(joined_reproduce=FAIL), False),
        (SEEN, but(joined_reproduce=NOT_RUN), False),
        (evidence(joined_reproduce=NOT_RUN), evidence(joined_reproduce=NOT_RUN), False),
        (SEEN, but(reproduces=NOT_RUN), False),
        (SEEN, but(worked_stays=QUESTION), False),
        (SEEN, but(aims=NOT_RUN), False),
        (SEEN, evidence(reproduces=PASS, joined_reproduce=PASS, regression_tests=NOT_RUN), False),
        (replace(SEEN, deployed=Deployed("d", SEEN.gates)), NOW, False),
        (SEEN, SEEN, False),
        (replace(SEEN, joined=("orders-early",)), NOW, False),
        (replace(SEEN, joined=("orders-early",)), replace(NOW, joined=("orders-early", *LATE)), True),
        (SEEN, replace(NOW, joined=("orders-other",)), False),
        (SEEN, replace(NOW, patch_sha256="0" * 64), False),
        (SEEN, replace(NOW, base_sha="0" * 40), False),
        (SEEN, replace(NOW, deployed=Deployed("d", gates(joined_reproduce=NOT_RUN))), False),
        (SEEN, replace(NOW, deployed=Deployed("d", gates(joined_reproduce=PASS))), True),
    ],
    ids=[
        "as before, and the late one is green",
        "what could not be run before has passed",
        "people were asked the same",
        "there is a question that nobody was asked",
        "something is out of the proof that was not",
        "the late one stays red",
        "the late one could not be reproduced",
        "which one could not is not told",
        "what passed was not run",
        "what passed is a question",
        "a gate more, which was not run",
        "a gate that passed says nothing any more",
        "what is deployed is out of the proof",
        "the evidence of before, kept as nothing better was proven",
        "one that people saw mended is out of the proof",
        "one that people saw mended is so again",
        "the late one is not among those of the proof",
        "other bytes",
        "another base",
        "not reproduced at the deployed revision",
        "reproduced at the deployed revision too",
    ],
)
def test_it_holds_where_every_gate_says_the_same_and_the_late_ones_are_green(
    seen: Evidence, now: Evidence, holds: bool
) -> None:
    assert as_good(seen, now, LATE) is holds


GREEN = {"gate": "joined_reproduce", "result": "pass", "detail": "1 of 1 that joined"}
RED = GREEN | {"result": "not_run", "detail": "0 of 1 that joined"}
SEEN_GATES = [{"gate": "reproduces", "result": "pass", "detail": "once"}]


class Desk:
    """A heal whose patch was approved, and is then proven again with what joined since."""

    def __init__(self, scene: Scene, inbox: Callable[[], list[Any]]) -> None:
        topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
        self.scene, self.inbox = scene, inbox
        self.deployment = around(scene, notifications=Notifications(boto3.client("sns"), topic, topic))
        self.first = self.ask("first", SEEN_GATES)

    def state(self, token: str, gates: list[Any], joined: tuple[str, ...] = (), **more: Any) -> HealState:
        digest = self.scene.write_attempt(1)

        def written(name: str) -> str:
            key = f"orders-v1-abc/heal-1/1/{name}"
            return reference(key, self.scene.artifacts.get(key))

        told = {"gates": gates, "patch_sha256": digest, "base_sha": "b" * 40, "joined": joined}
        # As a bucket that keeps what is overwritten: each proof has evidence of its own.
        key = self.scene.artifacts.put_json(f"orders-v1-abc/heal-1/1/{len(joined)}-evidence.json", told)
        given = {
            "incident_id": "orders-v1-abc",
            "app": "orders",
            "heal_id": "heal-1",
            "attempt": 1,
            "source": {"key": reference("s", b""), "base_sha": "b" * 40},
            "proposal": {"outcome": "proposed", "key": written("proposal.json"), "title": "Refuse"},
            "validation": {"patch_key": written("patch.diff"), "patch_sha256": digest, "evidence_key": key},
            "task_token": self.scene.workflow.wait(token),
            "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1",
        }
        return HealState.from_json(given | more)

    def ask(self, *given: Any, **more: Any) -> Approval:
        return ask(self.state(*given, **more), self.deployment, EXPIRES)

    def decide(self, verdict: Verdict = Verdict.APPROVE) -> None:
        decision = Decision(verdict, ANA, "fine", "too_risky" if verdict is Verdict.REJECT else "")
        self.scene.decisions.decide(self.first.approval_id, decision)
        self.inbox()

    def again(self, gates: list[Any], token: str = "second", **more: Any) -> Approval:
        """What the state machine asks with after the later proof."""
        approval_id = self.first.approval_id
        late = {"incidents": ["orders-late"], "joined_key": "j", "proposal_key": "p"}
        sent = {"decision": "approve", "approval_id": approval_id}
        told = {"asked_again": 1, "commit": {"late": late}, "decision": sent}
        return self.ask(token, gates, ("orders-late",), **(told | more))


@pytest.fixture
def desk(scene: Scene, inbox: Callable[[], list[Any]]) -> Desk:
    entry = {"log_groups": ["/aws/lambda/orders"], "repository": "https://github.com/shop/orders.git"}
    value = json.dumps(entry | {"approvers": [ANA]})
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/orders", Value=value, Type="SecureString")
    return Desk(scene, inbox)


def test_the_workflow_gets_the_same_decision_and_nobody_is_asked(scene: Scene, desk: Desk) -> None:
    desk.decide()
    carried = desk.again([*SEEN_GATES, GREEN])
    first, second = scene.workflow.received
    assert second == first, "who, when, and about which bytes"
    assert carried.approval_id == desk.first.approval_id == scene.incidents.get("orders-v1-abc").approval_id
    assert (carried.status, carried.token) == (ApprovalStatus.DELIVERED, b"")
    assert desk.inbox() == []
    read = [scene.artifacts.get_json(key) for key in (carried.evidence_key, carried.carried_to)]
    assert [row["joined"] for row in read] == [[], ["orders-late"]], "the record names both proofs"


def test_a_step_that_died_before_it_answered_answers_when_it_runs_again(scene: Scene, desk: Desk) -> None:
    desk.decide()
    later = desk.state("lost", [*SEEN_GATES, GREEN], ("orders-late",)).validation.evidence_key
    scene.approvals.carry(desk.first.approval_id, later, scene.tokens.seal("lost", desk.first.approval_id))
    carried = desk.again([*SEEN_GATES, GREEN])
    assert (carried.status, carried.carried_to) == (ApprovalStatus.DELIVERED, later)
    assert [answer["by"] for answer in scene.workflow.received] == [ANA, ANA]


@pytest.mark.parametrize(
    ("gates", "more"),
    [
        ([*SEEN_GATES, RED], {}),
        ([*SEEN_GATES, GREEN], {"commit": {}}),
        ([*SEEN_GATES, GREEN], {"commit": {"unconfirmed": "ana is an approver no longer"}}),
        ([*SEEN_GATES, GREEN], {"decision": {"decision": "approve", "approval_id": ""}}),
        ([*SEEN_GATES, GREEN], {"source": {"key": reference("s", b""), "base_sha": "c" * 40}}),
        ([*SEEN_GATES, GREEN], {"review": {"key": reference("r", b""), "opinion": "objects"}}),
        ([*SEEN_GATES, GREEN], {"proposal": {"key": reference("p", b""), "title": "Another"}}),
    ],
    ids=[
        "the late one is not reproduced",
        "none joined",
        "the approval does not count",
        "the decision was sent by hand",
        "another base",
        "another opinion on it",
        "another proposal",
    ],
)
def test_else_people_are_asked_again(
    scene: Scene, desk: Desk, gates: list[Any], more: dict[str, Any]
) -> None:
    desk.decide()
    asked = desk.again(gates, **more)
    assert asked.status is ApprovalStatus.PENDING
    assert (asked.previous_id, asked.decision) == (desk.first.approval_id, "")
    assert len(scene.workflow.received) == 1
    assert len(desk.inbox()) == 1
    assert not scene.kept(desk.first.approval_id).carried_to


@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.REVISE])
def test_no_other_answer_than_an_approval_holds_for_anything_later(
    scene: Scene, desk: Desk, verdict: Verdict
) -> None:
    desk.decide(verdict)
    assert desk.again([*SEEN_GATES, GREEN]).status is ApprovalStatus.PENDING
    assert [answer["decision"] for answer in scene.workflow.received] == [verdict]
