"""A second opinion: what the reviewer is shown, what becomes of its answer; nothing is paid twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.aws.settings import Settings
from functions.core.incidents.table import Incidents
from functions.core.model.chat import Chat
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import ModelNotFound, ModelThrottled, ModelUnavailable
from functions.core.workflow.heal import Heal
from functions.core.workflow.review import Opinion, find_review
from functions.core.workflow.state import HealState, ValidationState
from functions.review_patch.step import run
from infra.local.model.completion import complete
from tests.fakes.purse import Purse
from tests.fakes.script import Script

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

MODEL = "us.anthropic.claude-opus-5-5"
APP = App("orders", ("/app",), "https://github.com/shop/orders.git", review_model=MODEL)
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PATCH = "--- a/rates.py\n+++ b/rates.py\n@@ -1 +1 @@\n-return RATES[country]\n+return RATES.get(country, 9)\n"
EVIDENCE = {"gates": [{"gate": "reproduces", "result": "pass", "detail": "It failed before and passes now."}]}
PROPOSAL = {
    "explanation": "Trust me, this is right.",
    "title": "Charge nine",
    "root_cause": "The table is short.",
}


def reviewing(*answers: dict[str, Any] | Exception) -> Script:
    """A reviewer who calls its tool with these inputs, in order; raises the errors among them."""
    return Script(
        *(given if isinstance(given, Exception) or given is CUT_OFF else _called(given) for given in answers)
    )


def _called(given: dict[str, Any]) -> dict[str, Any]:
    call = {"toolUse": {"toolUseId": "c1", "name": "give_opinion", "input": given}}
    usage = {"inputTokens": 1000, "outputTokens": 100}
    return {"output": {"message": {"content": [call]}}, "stopReason": "tool_use", "usage": usage}


def says(opinion: str, *reasons: str) -> dict[str, Any]:
    return {"opinion": opinion, "reasons": list(reasons) or ["Because."], "would_check": ["NZ orders"]}


@dataclass
class Registered:
    """A registry of one app."""

    only: App

    def app(self, name: str) -> App:
        return self.only


@pytest.fixture
def bench(incidents_table: Table) -> Bench:
    return Bench(incidents_table)


class Bench:
    """A heal whose attempts are proven."""

    def __init__(self, table: Table) -> None:
        boto3.client("s3").create_bucket(Bucket="artifacts")
        self.artifacts = Artifacts(boto3.client("s3"), "artifacts")
        self.incidents = Incidents(table)
        table.put_item(
            Item={
                "incident_id": "orders-f",
                "fingerprint": "f",
                "app": "orders",
                "status": "HEALING",
                "error_type": "KeyError",
                "title": "KeyError: 'NZ'",
                "sample": f"token {TOKEN}\nKeyError: 'NZ'",
                "occurrences": 3,
                "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:self-heal:h1",
                "frames": [],
            }
        )

    def review(
        self,
        model: Any,
        attempt: int = 1,
        purse: Purse | None = None,
        app: App = APP,
        *,
        last_try: bool = False,
    ) -> dict[str, Any]:
        heal = self.heal(attempt)
        self.artifacts.put(heal.attempt_key("patch.diff"), PATCH.encode())
        self.artifacts.put_json(heal.attempt_key("evidence.json"), EVIDENCE)
        self.artifacts.put_json(heal.attempt_key("proposal.json"), PROPOSAL)
        self.artifacts.put_json(heal.attempt_key("outcome.json"), {"cost_usd": 0.01})
        validation = ValidationState(
            patch_key=heal.attempt_key("patch.diff"), evidence_key=heal.attempt_key("evidence.json")
        )
        deployment = Deployment(
            Settings(),
            registry=Registered(app),
            incidents=self.incidents,
            artifacts_of=lambda heal: self.artifacts,
            model=lambda app: model,
            budget=lambda app: purse or Purse(),
        )
        state = HealState("orders-f", "orders", "h1", attempt, validation=validation, last_try=last_try)
        return run(state, deployment).to_state()

    def heal(self, attempt: int = 1) -> Heal:
        return Heal("orders-f", "orders", "h1", attempt)

    def findings(self, attempt: int = 1) -> Any:
        return self.artifacts.find_json(self.heal(attempt).attempt_key("findings.json"))


def test_the_reviewer_sees_incident_patch_and_evidence_and_no_word_for_the_patch(bench: Bench) -> None:
    reviewer = reviewing(says("agrees"))
    assert bench.review(reviewer)["opinion"] == "agrees"
    (request,) = reviewer.requests
    said = json.dumps(request)
    for shown in ("KeyError: 'NZ'", "RATES.get(country, 9)", "It failed before and passes now."):
        assert shown in said
    for hidden in (*PROPOSAL.values(), TOKEN):
        assert hidden not in said
    assert [tool["toolSpec"]["name"] for tool in request["toolConfig"]["tools"]] == ["give_opinion"]
    assert request["requestMetadata"]["incident"] == "orders-f"


def test_an_objection_goes_back_as_a_finding_once_and_then_stands(bench: Bench) -> None:
    first = bench.review(reviewing(says("objects", "NZ is charged nine.")))
    assert first["sent_back"] is True
    assert bench.findings() == {"findings": ["second opinion: NZ is charged nine."]}
    second = bench.review(reviewing(says("objects", "It still is.")), attempt=2)
    assert (second["opinion"], second["sent_back"]) == ("objects", False)
    assert second["summary"] == "It objects: It still is."
    assert bench.findings(2) is None


def test_a_second_run_asks_nobody_and_says_the_same(bench: Bench) -> None:
    first = bench.review(reviewing(says("objects", "NZ is charged nine.")))
    assert bench.review(reviewing()) == first
    review = find_review(bench.artifacts, bench.heal())
    assert review is not None
    assert review.would_check == ("NZ orders",)
    assert float(bench.incidents.get("orders-f").cost_usd) == pytest.approx(0.01 + review.cost_usd)
    assert review.cost_usd > 0


def test_an_answer_of_the_wrong_form_is_asked_for_once_more(bench: Bench) -> None:
    reviewer = reviewing({"opinion": "maybe"}, says("agrees"))
    assert bench.review(reviewer)["opinion"] == "agrees"
    assert "was not accepted" in json.dumps(reviewer.requests[1]["messages"])
    other = bench.review(reviewing({"opinion": "maybe"}, {"opinion": "maybe"}), attempt=2)
    assert other["opinion"] == "no_opinion"
    assert "could not be used" in other["summary"]


@pytest.mark.parametrize("why", ["cannot be had", "over budget"])
def test_who_cannot_be_asked_has_no_opinion_and_says_why(bench: Bench, why: str) -> None:
    model = reviewing(ModelNotFound("it is a legacy model"))
    result = bench.review(model, purse=Purse(calls=0) if why == "over budget" else None)
    assert (result["opinion"], result["sent_back"]) == ("no_opinion", False)
    assert {"cannot be had": "legacy", "over budget": "used up"}[why] in result["summary"]


def test_who_is_busy_is_asked_again_later_and_what_was_answered_is_kept(bench: Bench) -> None:
    with pytest.raises(ModelThrottled):
        bench.review(reviewing({"opinion": "maybe"}, ModelThrottled("slow down")))
    reviewer = reviewing(says("agrees"))
    assert bench.review(reviewer)["opinion"] == "agrees"
    assert len(reviewer.requests) == 1
    assert "was not accepted" in json.dumps(reviewer.requests[0]["messages"])


@pytest.mark.parametrize("error", [ModelThrottled, ModelUnavailable])
def test_who_is_busy_to_the_last_try_has_no_opinion_and_what_was_paid_is_counted(
    bench: Bench, error: type[Exception]
) -> None:
    model = reviewing({"opinion": "maybe"}, error("it is busy"))
    result = bench.review(model, last_try=True)
    assert (result["opinion"], result["sent_back"]) == ("no_opinion", False)
    assert result["summary"] == "It has no opinion: it could not be asked: it is busy"
    assert result["cost_usd"] > 0
    assert float(bench.incidents.get("orders-f").cost_usd) == pytest.approx(0.01 + result["cost_usd"])


CUT_OFF = {"stopReason": "max_tokens"}


def test_an_opinion_that_was_cut_off_is_asked_for_once_with_double_room(bench: Bench) -> None:
    reviewer = reviewing(CUT_OFF, says("agrees"))
    assert bench.review(reviewer)["opinion"] == "agrees"
    assert [request["inferenceConfig"]["maxTokens"] for request in reviewer.requests] == [16_384, 32_768]
    assert reviewer.requests[0]["messages"] == reviewer.requests[1]["messages"]
    twice = reviewing(CUT_OFF, CUT_OFF)
    assert "cut off at the token limit" in bench.review(twice, attempt=2)["summary"]
    assert len(twice.requests) == 2


def test_an_opinion_that_was_cut_off_is_not_paid_for_twice_where_there_is_no_more_room(bench: Bench) -> None:
    reviewer = reviewing(CUT_OFF)
    app = replace(APP, review_model="us.amazon.nova-pro-v1:0")
    assert "cut off at the token limit" in bench.review(reviewer, app=app)["summary"]
    assert [request["inferenceConfig"]["maxTokens"] for request in reviewer.requests] == [5_000]


def test_the_embedded_engine_says_that_it_has_no_opinion(bench: Bench) -> None:
    result = bench.review(Chat(complete))
    assert result["opinion"] == Opinion.NONE
    assert "do not judge" in result["summary"]
