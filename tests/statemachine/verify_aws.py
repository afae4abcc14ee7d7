"""Replays the paths of `paths.py` at AWS: `make verify-aws`. Deploys nothing, and is no part of CI.

ValidateStateMachineDefinition reads the definition; TestState runs each state with a mocked result, as the
paths have it, and must give the next state and the output that the walk here gives. Both are free of charge.
Needs `states:ValidateStateMachineDefinition` and `states:TestState`; with mocks no role is needed.
https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from infra.cli.connect import region
from tests.statemachine.conftest import CALLBACK, ENTERED, EXECUTION, INVOKE, evaluator, walker
from tests.statemachine.diagram import DEFINITION
from tests.statemachine.paths import PATHS, START

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

SUBSTITUTE = "arn:aws:lambda:us-east-1:111122223333:function:self-heal-step:live"


@dataclass(frozen=True)
class Visit:
    """One state of a walk: what goes in, what its Task answers (else None), what must come out."""

    state: str
    given: Any
    mocked: Any
    output: Any
    next_state: str | None


def definition() -> str:
    """The definition as it is deployed: tokens stand for ARNs."""
    return re.sub(r"\$\{\w+\}", SUBSTITUTE, DEFINITION.read_text())


def visits(walked: Any, results: dict[str, list[Any]]) -> Iterator[Visit]:
    """The visits of a walk, in order."""
    waiting = {name: list(queue) for name, queue in results.items()}
    states = json.loads(DEFINITION.read_text())["States"]
    outputs = [*walked.states[1:], walked.output]
    following = [*walked.visited[1:], None]
    for name, given, output, target in zip(walked.visited, walked.states, outputs, following, strict=True):
        mocked = waiting[name].pop(0) if states[name]["Type"] == "Task" else None
        if states[name].get("Resource") == INVOKE:
            mocked = {"ExecutedVersion": "7", "Payload": mocked, "StatusCode": 200}
        yield Visit(name, given, mocked, output, target)


def request(visit: Visit) -> dict[str, Any]:
    """The parameters of TestState for a visit."""
    context: dict[str, Any] = {
        "Execution": EXECUTION,
        "State": {"Name": visit.state, "EnteredTime": ENTERED, "RetryCount": 0},
    }
    asked: dict[str, Any] = {
        "definition": definition(),
        "stateName": visit.state,
        "input": json.dumps(visit.given),
        "inspectionLevel": "DEBUG",
    }
    state = json.loads(definition())["States"][visit.state]
    if state["Type"] == "Task":
        # What a human answers is no result of Lambda's, and CodeBuild's here is the part that matters.
        mode = "STRICT" if state["Resource"] == INVOKE else "NONE"
        asked["mock"] = {"result": json.dumps(visit.mocked), "fieldValidationMode": mode}
        if state["Resource"] == CALLBACK:
            context["Task"] = {"Token": "the-task-token"}
    return asked | {"context": json.dumps(context)}


def problem(visit: Visit, answer: dict[str, Any]) -> str:
    """What differs from the walk, "" for nothing."""
    if answer["status"] != "SUCCEEDED":
        return f"{answer['status']}: {answer.get('error')}: {answer.get('cause')}"
    if answer.get("nextState") != visit.next_state:
        return f"goes on to {answer.get('nextState')} instead of {visit.next_state}"
    if json.loads(answer["output"]) != visit.output:
        return f"gives {answer['output']} instead of {json.dumps(visit.output)}"
    return ""


def verify(client: SFNClient, walk: Any) -> Iterator[str]:
    """Every difference, one line each."""
    checked = client.validate_state_machine_definition(
        definition=definition(), type="STANDARD", severity="WARNING"
    )
    for found in checked["diagnostics"]:
        yield f"{found['severity']} {found['code']} {found.get('location', '')}: {found['message']}"
    for path, (results, _) in PATHS.items():
        for visit in visits(walk(START, results), results):
            if wrong := problem(visit, dict(client.test_state(**request(visit)))):
                yield f"{path}: {visit.state} {wrong}"


def main() -> int:
    client = boto3.client("stepfunctions", region_name=region())
    differences = list(verify(client, walker(json.loads(DEFINITION.read_text()), evaluator([]))))
    for line in differences:
        print(line)
    print(f"{len(differences)} differences" if differences else "AWS and this project agree on every path")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
