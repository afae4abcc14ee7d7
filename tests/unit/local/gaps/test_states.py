"""Redrive, execution time-outs, and what descriptions and status events tell of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench, Gate

pytestmark = pytest.mark.embedded

# Fails until the parameter says otherwise, so that a redrive can succeed.
SWITCHED = """
import boto3
class Broken(Exception): pass
def handler(event, context):
    value = boto3.client("ssm").get_parameter(Name=event["switch"])["Parameter"]["Value"]
    if value != "on":
        raise Broken("the switch is " + value)
    return {"seen": event}
"""

WAITS_AT_THE_GATE = """
import urllib.request
def handler(event, context):
    urllib.request.urlopen(event["gate"]).close()
    return 1
"""


def lambda_task(function: str, following: str | None = None, **fields: Any) -> dict[str, Any]:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"},
        "Output": "{% $states.result.Payload %}",
        "TimeoutSeconds": 60,
        **fields,
    }
    return state | ({"Next": following} if following else {"End": True})


Switched = tuple[str, Callable[[str], None]]
"""A machine, and how its switch is turned."""


@pytest.fixture
def switched(aws: Bench, unique: str) -> Switched:
    """A machine whose second state fails while the switch is off, and the switch."""
    function = aws.make_function(unique, SWITCHED)
    states = {
        "First": {
            "Type": "Pass",
            "Output": "{% $merge([$states.input, {'first': true}]) %}",
            "Next": "Second",
        },
        "Second": lambda_task(function, "Last", Retry=[{"ErrorEquals": ["Broken"], "MaxAttempts": 1}]),
        "Last": {"Type": "Succeed"},
    }
    machine = aws.make_machine(unique, states)

    def turn(value: str) -> None:
        aws.client("ssm").put_parameter(Name=unique, Value=value, Type="String", Overwrite=True)

    turn("off")
    return machine, turn


def test_ministack_has_no_redrive(ministack: Bench, unique: str) -> None:
    machine = ministack.make_machine(unique, {"Only": {"Type": "Fail", "Error": "E", "Cause": "c"}})
    execution = ministack.start(machine)
    ministack.finish(execution)
    with pytest.raises(ClientError, match="Unknown action: RedriveExecution"):
        ministack.sfn.redrive_execution(executionArn=execution)


def test_ministack_ignores_the_timeout_of_an_execution(ministack: Bench, unique: str) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 300, "End": True}}
    execution = ministack.start(ministack.make_machine(unique, states, TimeoutSeconds=1))
    assert ministack.finish(execution)["status"] == "SUCCEEDED"


def test_redrive_resumes_at_the_state_that_failed(aws: Bench, switched: Switched, unique: str) -> None:
    machine, turn = switched
    execution = aws.start(machine, {"switch": unique})
    failed = aws.finish(execution)
    assert failed["status"] == "FAILED"
    assert failed["error"] == "Broken"
    assert failed["redriveStatus"] == "REDRIVABLE"
    assert failed["redriveCount"] == 0

    turn("on")
    aws.sfn.redrive_execution(executionArn=execution)
    healed = aws.finish(execution)

    assert healed["status"] == "SUCCEEDED"
    assert json.loads(healed["output"]) == {"seen": {"switch": unique, "first": True}}
    assert healed["redriveCount"] == 1
    assert healed["redriveDate"] >= failed["stopDate"]
    assert (healed["redriveStatus"], healed["redriveStatusReason"]) == (
        "NOT_REDRIVABLE",
        "Execution is SUCCEEDED and cannot be redriven",
    )
    attempt = ["TaskScheduled", "TaskStarted", "TaskFailed"]
    assert [event["type"] for event in aws.history(execution)] == [
        *("ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered"),
        *(*attempt, *attempt, "ExecutionFailed", "ExecutionRedriven"),
        *("TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"),
        *("SucceedStateEntered", "SucceedStateExited", "ExecutionSucceeded"),
    ]
    redriven = next(event for event in aws.history(execution) if event["type"] == "ExecutionRedriven")
    assert redriven["executionRedrivenEventDetails"] == {"redriveCount": 1}
    listed = aws.sfn.list_executions(stateMachineArn=machine)["executions"]
    assert [item["redriveCount"] for item in listed] == [1]


def test_a_redrive_resets_the_retries(aws: Bench, switched: Switched, unique: str) -> None:
    execution = aws.start(switched[0], {"switch": unique})
    aws.finish(execution)
    aws.sfn.redrive_execution(executionArn=execution)
    assert aws.finish(execution)["status"] == "FAILED"
    scheduled = [event for event in aws.history(execution) if event["type"] == "TaskScheduled"]
    assert len(scheduled) == 4


def test_a_redrive_keeps_the_definition_of_the_start(aws: Bench, switched: Switched, unique: str) -> None:
    machine, turn = switched
    execution = aws.start(machine, {"switch": unique})
    aws.finish(execution)
    other = {"StartAt": "Other", "States": {"Other": {"Type": "Succeed"}}}
    aws.sfn.update_state_machine(stateMachineArn=machine, definition=json.dumps(other))
    turn("on")
    aws.sfn.redrive_execution(executionArn=execution)
    assert json.loads(aws.finish(execution)["output"])["seen"]["first"]


def test_a_client_token_makes_a_redrive_idempotent(aws: Bench, switched: Switched, unique: str) -> None:
    execution = aws.start(switched[0], {"switch": unique})
    aws.finish(execution)
    first = aws.sfn.redrive_execution(executionArn=execution, clientToken="once")
    aws.finish(execution)
    assert (
        aws.sfn.redrive_execution(executionArn=execution, clientToken="once")["redriveDate"]
        == first["redriveDate"]
    )
    assert aws.sfn.describe_execution(executionArn=execution)["redriveCount"] == 1


def test_a_fail_state_fails_again(aws: Bench, unique: str) -> None:
    execution = aws.start(aws.make_machine(unique, {"Only": {"Type": "Fail", "Error": "E", "Cause": "c"}}))
    aws.finish(execution)
    aws.sfn.redrive_execution(executionArn=execution)
    assert aws.finish(execution)["status"] == "FAILED"
    kinds = [event["type"] for event in aws.history(execution)]
    assert kinds[-3:] == ["ExecutionRedriven", "FailStateEntered", "ExecutionFailed"]


def test_the_context_tells_of_redrives(aws: Bench, unique: str) -> None:
    output = "{% $states.context.Execution %}"
    choices = [{"Condition": "{% $states.context.Execution.RedriveCount = 1 %}", "Next": "Say"}]
    states = {
        "Ask": {"Type": "Choice", "Choices": choices},
        "Say": {"Type": "Pass", "Output": output, "End": True},
    }
    execution = aws.start(aws.make_machine(unique, states))
    assert aws.finish(execution)["error"] == "States.NoChoiceMatched"
    aws.sfn.redrive_execution(executionArn=execution)
    context = json.loads(aws.finish(execution)["output"])
    assert context["RedriveCount"] == 1
    assert context["RedriveTime"].startswith("20")


def test_what_runs_or_succeeded_cannot_be_redriven(aws: Bench, unique: str) -> None:
    waiting = {"Wait": {"Type": "Wait", "Seconds": 500, "Next": "End"}, "End": {"Type": "Succeed"}}
    execution = aws.start(aws.make_machine(unique, waiting))
    for status in ("RUNNING", "SUCCEEDED"):
        with pytest.raises(
            aws.sfn.exceptions.ExecutionNotRedrivable, match=f"Execution is {status} and cannot be"
        ):
            aws.sfn.redrive_execution(executionArn=execution)
        aws.finish(execution)
    with pytest.raises(aws.sfn.exceptions.ExecutionDoesNotExist):
        aws.sfn.redrive_execution(executionArn=execution + "x")


def test_an_execution_that_takes_too_long_is_timed_out_and_can_be_redriven(aws: Bench, unique: str) -> None:
    states = {"Wait": {"Type": "Wait", "Seconds": 200, "Next": "End"}, "End": {"Type": "Succeed"}}
    execution = aws.start(aws.make_machine(unique, states, TimeoutSeconds=1))
    description = aws.finish(execution)
    assert description["status"] == "TIMED_OUT"
    assert description["redriveStatus"] == "REDRIVABLE"
    assert aws.history(execution)[-1]["type"] == "ExecutionTimedOut"


def test_an_aborted_execution_is_left_alone_by_the_thread_that_walked_it(
    aws: Bench, gate: Gate, unique: str
) -> None:
    slow = aws.make_function(unique, WAITS_AT_THE_GATE)
    execution = aws.start(aws.make_machine(unique, {"Slow": lambda_task(slow)}), {"gate": gate.url})
    aws.wait_for(lambda: gate.arrived)
    aws.sfn.stop_execution(executionArn=execution, error="Operator", cause="wrong app")
    assert aws.finish(execution)["status"] == "ABORTED"
    aws.sfn.redrive_execution(executionArn=execution)
    gate.open.set()
    assert aws.finish(execution)["status"] == "SUCCEEDED"
    kinds = [event["type"] for event in aws.history(execution)]
    assert kinds.count("TaskSucceeded") == kinds.count("ExecutionSucceeded") == 1


def test_redrive_needs_its_permission_on_the_execution(aws: Bench, switched: Switched, unique: str) -> None:
    execution = aws.start(switched[0], {"switch": unique})
    aws.finish(execution)
    source = """
    import boto3
    def handler(event, context):
        return str(boto3.client("stepfunctions").redrive_execution(executionArn=event)["redriveDate"])
    """
    machine_only = aws.make_role(f"{unique[:50]}-no", ["states:RedriveExecution"], switched[0])
    allowed = aws.make_role(f"{unique[:50]}-yes", ["states:RedriveExecution"], execution)
    aws.make_function(f"{unique[:50]}-no", source, Role=machine_only)
    aws.make_function(f"{unique[:50]}-yes", source, Role=allowed)
    refused = aws.invoke(f"{unique[:50]}-no", execution)
    assert "not authorized to perform: states:RedriveExecution" in refused["payload"]["errorMessage"]
    assert aws.invoke(f"{unique[:50]}-yes", execution)["error"] is None


def test_status_events_carry_the_redrive(aws: Bench, switched: Switched, unique: str) -> None:
    queue = aws.client("sqs").create_queue(QueueName=unique)["QueueUrl"]
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [switched[0]]}}
    events = aws.client("events")
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    target = f"arn:aws:sqs:{aws.emulator.region}:{aws.emulator.account}:{unique}"
    events.put_targets(Rule=unique, Targets=[{"Id": "1", "Arn": target}])
    execution = aws.start(switched[0], {"switch": unique})
    aws.finish(execution)
    switched[1]("on")
    aws.sfn.redrive_execution(executionArn=execution)
    aws.finish(execution)

    seen: list[Any] = []

    def four() -> list[Any] | None:
        for message in (
            aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        ):
            detail = json.loads(message["Body"])["detail"]
            seen.append((detail["status"], detail["redriveCount"], detail["redriveStatus"], detail["error"]))
        return seen if len(seen) == 4 else None

    assert aws.wait_for(four) == [
        ("RUNNING", 0, "NOT_REDRIVABLE", None),
        ("FAILED", 0, "REDRIVABLE", "Broken"),
        ("RUNNING", 1, "NOT_REDRIVABLE", None),
        ("SUCCEEDED", 1, "NOT_REDRIVABLE", None),
    ]


def test_a_payload_above_the_quota_fails_the_execution(aws: Bench, unique: str) -> None:
    states = {"Big": {"Type": "Pass", "Output": "{% $pad('', 262143, 'x') %}", "End": True}}
    assert aws.finish(aws.start(aws.make_machine(unique, states)))["error"] == "States.DataLimitExceeded"
