"""`make verify-aws` asks what AWS's own model of the service takes, and tells what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tests.statemachine.paths import PATHS, START
from tests.statemachine.verify_aws import request, verify, visits

SERVICE = botocore.session.Session().get_service_model("stepfunctions")


class StepFunctions:
    """Takes what the service's model takes, and answers what the walks expect, but for `wrong`."""

    def __init__(self, walk: Callable[..., Any], **wrong: Any) -> None:
        self._expected = [
            visit for results, _ in PATHS.values() for visit in visits(walk(START, results), results)
        ]
        self.wrong = wrong
        self.asked = 0

    def validate_state_machine_definition(self, **parameters: Any) -> Any:
        _check("ValidateStateMachineDefinition", parameters)
        return {"result": "OK", "diagnostics": []}

    def test_state(self, **parameters: Any) -> Any:
        _check("TestState", parameters)
        visit = self._expected[self.asked]
        self.asked += 1
        assert (parameters["stateName"], json.loads(parameters["input"])) == (visit.state, visit.given)
        answer = {"status": "SUCCEEDED", "output": json.dumps(visit.output)}
        if visit.next_state:
            answer["nextState"] = visit.next_state
        return answer | (self.wrong if visit.state == "CommitPatch" else {})


def _check(operation: str, parameters: dict[str, Any]) -> None:
    shape: Any = SERVICE.operation_model(operation).input_shape
    problems = ParamValidator().validate(parameters, shape)
    assert not problems.has_errors(), problems.generate_report()


def test_every_state_of_every_path_is_asked_as_the_services_model_has_it(walk: Callable[..., Any]) -> None:
    service = StepFunctions(walk)

    assert list(verify(service, walk)) == []  # type: ignore[arg-type]  # the two calls that it makes

    assert service.asked > 100


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"status": "FAILED", "error": "States.QueryEvaluationError", "cause": "undefined"}, "undefined"),
        ({"nextState": "RecordOutcome"}, "goes on to RecordOutcome instead of IsCommitted"),
        ({"output": "{}"}, "gives {} instead of"),
    ],
)
def test_what_aws_does_otherwise_is_told(wrong: dict[str, Any], told: str, walk: Callable[..., Any]) -> None:
    differences = list(verify(StepFunctions(walk, **wrong), walk))  # type: ignore[arg-type]

    assert differences
    assert all("CommitPatch" in line and told in line for line in differences)


def test_mocks_hold_what_the_integration_answers_and_only_tasks_have_one(walk: Callable[..., Any]) -> None:
    results, _ = PATHS["healed at the first try"]
    asked = [request(visit) for visit in visits(walk(START, results), results)]
    mocks: dict[str, Any] = {row["stateName"]: row.get("mock") for row in asked}

    assert json.loads(mocks["FetchSource"]["result"])["Payload"]["base_sha"] == "b" * 40
    assert json.loads(mocks["AwaitApproval"]["result"])["decision"] == "approve"
    assert mocks["IsApproved"] is mocks["Healed"] is None
    assert "the-task-token" in next(row["context"] for row in asked if row["stateName"] == "AwaitApproval")
