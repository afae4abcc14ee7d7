"""The state machine as data, and a walk through it that evaluates its real JSONata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

DEFINITION = Path(__file__).parents[2] / "statemachine" / "self_heal.asl.json"
jsonata: Any = import_module("jsonata")  # it has no type information
INVOKE = "arn:aws:states:::lambda:invoke"
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
ENTERED = "2026-11-20T10:00:00.000Z"
EXECUTION = {
    "Id": "arn:aws:states:us-east-1:111122223333:execution:self-heal-workflow:heal-1",
    "Name": "heal-1",
    "RedriveCount": 0,
}


@dataclass
class Walk:
    """What happened: states entered, what each Task was asked, and the output of the last state."""

    visited: list[str] = field(default_factory=list)
    payloads: dict[str, list[Any]] = field(default_factory=dict)
    states: list[Any] = field(default_factory=list)
    output: Any = None

    @property
    def edges(self) -> set[tuple[str, str]]:
        return set(zip(self.visited, self.visited[1:], strict=False))


Walker = Callable[..., Walk]
Evaluate = Callable[[str, Mapping[str, Any]], Any]
Evaluated = list[tuple[str, Mapping[str, Any], Any]]


@pytest.fixture(scope="session")
def definition() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DEFINITION.read_text())
    return content


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Any]:
    """Parses a JSONata expression, with the engine that the embedded Step Functions uses."""

    def run(expression: str) -> Any:
        return jsonata.Jsonata.jsonata(expression)

    return run


@pytest.fixture(scope="session")
def evaluated() -> Evaluated:
    """Everything that was evaluated in this session: expression, `$states`, and result."""
    return []


@pytest.fixture(scope="session")
def evaluate(evaluated: Evaluated) -> Evaluate:
    return evaluator(evaluated)


def evaluator(evaluated: Evaluated) -> Evaluate:
    """Evaluates one `{% … %}` expression as Step Functions does: an undefined result is an error."""

    def run(expression: str, states: Mapping[str, Any]) -> Any:
        text = expression.removeprefix("{%").removesuffix("%}").strip()
        value = jsonata.Jsonata.jsonata(text).evaluate(None, {"states": states})
        assert value is not None, f"States.QueryEvaluationError: {text} is undefined"
        plain = json.loads(json.dumps(value))
        evaluated.append((text, json.loads(json.dumps(states)), plain))
        return plain

    return run


@pytest.fixture(scope="session")
def walk(definition: dict[str, Any], evaluate: Evaluate) -> Walker:
    return walker(definition, evaluate)


def walker(definition: dict[str, Any], evaluate: Evaluate) -> Walker:
    """Walks from the start to an end. `results` gives each Task's results, one per time that it runs."""

    def fill(template: Any, states: Mapping[str, Any]) -> Any:
        if isinstance(template, dict):
            return {key: fill(value, states) for key, value in template.items()}
        if isinstance(template, str) and template.startswith("{%"):
            return evaluate(template, states)
        return template

    def run(execution_input: Any, results: Mapping[str, list[Any]], context: Any = None) -> Walk:
        waiting = {name: list(queue) for name, queue in results.items()}
        walked = Walk()
        name, value = definition["StartAt"], execution_input
        while True:
            state = definition["States"][name]
            entered = {"Name": name, "EnteredTime": ENTERED, "RetryCount": 0}
            states = {"input": value, "context": {"Execution": EXECUTION, "State": entered} | (context or {})}
            walked.visited.append(name)
            walked.states.append(value)
            match state["Type"]:
                case "Succeed":
                    walked.output = value
                    assert not any(waiting.values()), f"results never asked for: {waiting}"
                    return walked
                case "Wait" | "Pass":
                    value, name = fill(state.get("Output", value), states), state["Next"]
                case "Choice":
                    rule = next(
                        (rule for rule in state["Choices"] if evaluate(rule["Condition"], states) is True),
                        {"Next": state["Default"]},
                    )
                    value = fill(rule["Output"], states) if "Output" in rule else value
                    name = rule["Next"]
                case "Task":
                    callback = state["Resource"] == CALLBACK
                    if callback:
                        states["context"]["Task"] = {"Token": "the-task-token"}
                    asked = fill(state["Arguments"], states)
                    walked.payloads.setdefault(name, []).append(asked.get("Payload", asked))
                    result = waiting[name].pop(0)
                    if state["Resource"] == INVOKE:
                        result = {"ExecutedVersion": "7", "Payload": result, "StatusCode": 200}
                    value = fill(state["Output"], {**states, "result": result})
                    name = state["Next"]

    return run
