"""Callbacks with a task token, retries, and the error names that Task states report."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.gaps import tasks

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
KEEP_TOKEN = """
import boto3
def handler(event, context):
    boto3.client("ssm").put_parameter(Name=event["to"], Value=event["token"], Type="String", Overwrite=True,
                                      Tier="Advanced")
"""
BROKEN = "class Unasked(Exception): pass\ndef handler(event, context):\n    raise Unasked('no channel')\n"


def asking(function: str, to: str, **fields: Any) -> dict[str, Any]:
    payload = {"token": "{% $states.context.Task.Token %}", "to": to}
    arguments = {"FunctionName": function, "Payload": payload}
    base = {"Type": "Task", "Resource": CALLBACK, "Arguments": arguments, "TimeoutSeconds": 20, "End": True}
    return {"Ask": base | fields}


def token_of(bench: Any, name: str, other_than: str = "") -> str:
    ssm = bench.client("ssm")

    def stored() -> str | None:
        found = ssm.get_parameters(Names=[name])["Parameters"]
        value: str | None = found[0]["Value"] if found else None
        return value if value != other_than else None

    token: str = bench.wait_for(stored)
    return token


def test_ministack_swallows_the_failure_of_the_function_that_asks(ministack: Bench, unique: str) -> None:
    function = ministack.make_function(unique, BROKEN)
    execution = ministack.start(ministack.make_machine(unique, asking(function, unique, TimeoutSeconds=2)))
    assert ministack.finish(execution)["error"] == "States.Timeout"


def test_ministack_forgets_an_answered_token(ministack: Bench, unique: str) -> None:
    function = ministack.make_function(unique, KEEP_TOKEN)
    execution = ministack.start(ministack.make_machine(unique, asking(function, unique)))
    token = token_of(ministack, unique)
    ministack.sfn.send_task_success(taskToken=token, output="{}")
    ministack.finish(execution)
    with pytest.raises(ministack.sfn.exceptions.TaskDoesNotExist):
        ministack.sfn.send_task_success(taskToken=token, output="{}")


def test_ministack_reports_no_error_names(ministack: Bench, unique: str) -> None:
    ministack.make_function(unique, BROKEN)
    assert ministack.invoke(unique)["payload"]["errorType"] == "Runtime.HandlerError"


def test_the_failure_of_the_function_that_asks_goes_through_retry_and_catch(aws: Bench, unique: str) -> None:
    function = aws.make_function(unique, BROKEN)
    caught = {"ErrorEquals": ["Unasked"], "Next": "Told", "Output": "{% $states.errorOutput %}"}
    states = asking(function, unique, Retry=[{"ErrorEquals": ["Unasked"], "MaxAttempts": 2}], Catch=[caught])
    execution = aws.start(aws.make_machine(unique, states | {"Told": {"Type": "Succeed"}}))
    output = json.loads(aws.finish(execution)["output"])
    assert output["Error"] == "Unasked"
    assert json.loads(output["Cause"])["errorMessage"] == "no channel"
    assert [event["type"] for event in aws.history(execution)].count("TaskFailed") == 3


def test_an_answer_counts_once(aws: Bench, unique: str) -> None:
    function = aws.make_function(unique, KEEP_TOKEN)
    execution = aws.start(aws.make_machine(unique, asking(function, unique)))
    token = token_of(aws, unique)
    assert 500 < len(token) <= 2048
    aws.wait_for(lambda: any(event["type"] == "TaskSubmitted" for event in aws.history(execution)))
    aws.sfn.send_task_success(taskToken=token, output='{"decision": "approve"}')
    for _ in range(2):
        with pytest.raises(aws.sfn.exceptions.TaskTimedOut):
            aws.sfn.send_task_success(taskToken=token, output='{"decision": "reject"}')
    with pytest.raises(aws.sfn.exceptions.TaskTimedOut):
        aws.sfn.send_task_failure(taskToken=token, error="Late")
    assert json.loads(aws.finish(execution)["output"]) == {"decision": "approve"}
    kinds = [event["type"] for event in aws.history(execution)]
    assert kinds[2:5] == ["TaskScheduled", "TaskStarted", "TaskSubmitted"]


def test_a_token_that_never_was_is_invalid(aws: Bench) -> None:
    with pytest.raises(aws.sfn.exceptions.InvalidToken):
        aws.sfn.send_task_success(taskToken="made-up", output="{}")
    with pytest.raises(aws.sfn.exceptions.InvalidOutput):
        aws.sfn.send_task_success(taskToken="made-up", output="{")


def test_an_unanswered_question_times_out_and_redrive_asks_with_a_new_token(aws: Bench, unique: str) -> None:
    function = aws.make_function(unique, KEEP_TOKEN)
    execution = aws.start(aws.make_machine(unique, asking(function, unique, TimeoutSeconds=1)))
    old = token_of(aws, unique)
    failed = aws.finish(execution)
    assert (failed["status"], failed["error"]) == ("FAILED", "States.Timeout")
    assert aws.history(execution)[-2]["type"] == "TaskTimedOut"
    with pytest.raises(aws.sfn.exceptions.TaskTimedOut):
        aws.sfn.send_task_success(taskToken=old, output="{}")

    aws.sfn.redrive_execution(executionArn=execution)
    aws.sfn.send_task_success(taskToken=token_of(aws, unique, other_than=old), output='"yes"')
    assert aws.finish(execution)["output"] == '"yes"'


def test_stopping_an_execution_closes_its_question(aws: Bench, unique: str) -> None:
    function = aws.make_function(unique, KEEP_TOKEN)
    execution = aws.start(aws.make_machine(unique, asking(function, unique)))
    token = token_of(aws, unique)
    aws.sfn.stop_execution(executionArn=execution)
    with pytest.raises(aws.sfn.exceptions.TaskTimedOut):
        aws.sfn.send_task_success(taskToken=token, output="{}")


def test_a_function_without_its_handler_says_so_every_time(aws: Bench, unique: str) -> None:
    aws.make_function(unique, "x = 1")
    errors = [aws.invoke(unique)["payload"]["errorType"] for _ in range(2)]
    assert errors == ["Runtime.HandlerNotFound"] * 2


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            "class ForgeUnavailable(Exception): pass\ndef handler(e, c):\n    raise ForgeUnavailable",
            "ForgeUnavailable",
        ),
        ("def handler(e, c):\n    raise KeyError('x')", "KeyError"),
        ("import time\ndef handler(e, c):\n    time.sleep(60)", "Sandbox.Timedout"),
        ("import sys\ndef handler(e, c):\n    sys.exit(3)", "Runtime.ExitError"),
        ("import os\ndef handler(e, c):\n    os.kill(os.getpid(), 9)", "Runtime.ExitError"),
        ("import nowhere", "Runtime.ImportModuleError"),
        ("x = 1", "Runtime.HandlerNotFound"),
        ("def handler(e, c):\n    return {1, 2}", "Runtime.MarshalError"),
    ],
)
def test_the_error_name_of_a_function(aws: Bench, unique: str, source: str, error: str) -> None:
    function = aws.make_function(unique, source, Timeout=1 if error == "Sandbox.Timedout" else 60)
    arguments = {"FunctionName": function, "Payload": {}}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": arguments,
        "End": True,
    }
    assert aws.finish(aws.start(aws.make_machine(unique, {"Only": state})))["error"] == error


def test_a_task_is_told_at_each_try_how_many_there_were(aws: Bench, unique: str) -> None:
    """By which a step knows its last one."""
    function = aws.make_function(
        unique,
        "class Busy(Exception): pass\ndef handler(e, c):\n    if e['tries'] < 2: raise Busy\n    return e",
    )
    tries = "{% $states.context.State.RetryCount %}"
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": {"tries": tries}},
        "Output": "{% $states.result.Payload %}",
        "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 2}],
        "End": True,
    }
    done = aws.finish(aws.start(aws.make_machine(unique, {"Only": state})))
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", {"tries": 2})


def test_a_throttled_function_has_its_own_error_name(aws: Bench, unique: str) -> None:
    function = aws.make_function(unique, "def handler(e, c): return 1")
    aws.lambda_.put_function_concurrency(FunctionName=unique, ReservedConcurrentExecutions=0)
    arguments = {"FunctionName": function, "Payload": {}}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": arguments,
        "End": True,
    }
    description = aws.finish(aws.start(aws.make_machine(unique, {"Only": state})))
    assert description["error"] == "Lambda.TooManyRequestsException"


def test_states_all_leaves_terminal_errors_alone(aws: Bench, unique: str) -> None:
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::nothing:here",
        "Arguments": {},
        "End": True,
        "Catch": caught,
    }
    machine = aws.make_machine(unique, {"Only": state, "Caught": {"Type": "Succeed"}})
    assert aws.finish(aws.start(machine))["error"] == "States.Runtime"


def test_delays_grow_up_to_their_maximum() -> None:
    retrier = {"IntervalSeconds": 2, "BackoffRate": 2, "MaxDelaySeconds": 10}
    assert [tasks.retry_delay(retrier, count) for count in range(5)] == [2, 4, 8, 10, 10]


def test_full_jitter_spreads_delays_below_their_maximum() -> None:
    retrier = {"IntervalSeconds": 8, "BackoffRate": 1, "JitterStrategy": "FULL"}
    delays = [tasks.retry_delay(retrier, count) for count in range(50)]
    assert all(0 <= delay <= 8 for delay in delays)
    assert any(abs(a - b) > 0.1 for a, b in pairwise(delays))
