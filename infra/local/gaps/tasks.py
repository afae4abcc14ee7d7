"""Step Functions Task states: attempts, time-outs, and callbacks with a task token.

MiniStack swallows the failure of a function that is invoked with a token, reuses one token for all attempts,
lets a second answer override the first, and knows neither MaxDelaySeconds nor JitterStrategy. Rules:
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import base64
import contextvars
import json
import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from infra.local.gaps.patching import Execution, Response, answer_error, answer_json, replace, service
from infra.local.gaps.states import MAX_PAYLOAD_BYTES, Superseded, add_event, lock

sfn = service("services.stepfunctions")

CALLBACK = ".waitForTaskToken"
DEFAULT_TIMEOUT = 99_999_999
TOKEN_BYTES = 512
"""AWS tokens are several hundred characters long (at most 2,048). Shorter ones would hide bugs."""


def fill() -> None:
    replace(
        sfn,
        _execute_task=execute,
        _call_lambda=call_lambda(sfn._call_lambda),
        _send_task_success=send_success,
        _send_task_failure=send_failure,
        _send_task_heartbeat=send_heartbeat,
    )


def execute(
    state: dict[str, Any], data: Any, execution: Execution, context: dict[str, Any]
) -> tuple[Any, Any]:
    """Run a Task state with its Retry and Catch. Returns its output and the next state's name."""
    counts: dict[int, int] = {}
    while True:
        context["State"]["RetryCount"] = sum(counts.values())
        try:
            return _attempt(state, data, execution, context), sfn._next_or_end(state)
        except sfn._ExecutionError as error:
            retrier, index = sfn._find_matching_retrier(state.get("Retry", []), error.error, counts)
            if retrier is not None:
                count = counts.get(index, 0)
                counts[index] = count + 1
                sfn._scaled_sleep(retry_delay(retrier, count))
                continue
            catcher = sfn._find_matching_catcher(state.get("Catch", []), error.error)
            if catcher is None:
                raise
            failure = {"Error": error.error, "Cause": error.cause}
            language = sfn._state_query_language(state, context)
            return sfn._apply_catcher(catcher, data, context, language, failure), catcher["Next"]


def retry_delay(retrier: dict[str, Any], count: int) -> float:
    """Seconds to wait before retry number `count` (from 0)."""
    delay = float(retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** count)
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay  # noqa: S311 (a delay)


def _attempt(state: dict[str, Any], data: Any, execution: Execution, context: dict[str, Any]) -> Any:
    resource = state["Resource"]
    callback = resource.endswith(CALLBACK)
    context.pop("Task", None)
    if callback:
        context["Task"] = {"Token": base64.b64encode(secrets.token_bytes(TOKEN_BYTES)).decode()}
    jsonata = sfn._state_query_language(state, context) == "JSONata"
    history = _History(execution, state)
    if jsonata:
        with history.evaluation(context):
            arguments = sfn._apply_jsonata_arguments(state, data, context)
    else:
        arguments = sfn._apply_parameters(state, sfn._apply_input_path(state, data, context), context)
    timeout = state.get("TimeoutSeconds", DEFAULT_TIMEOUT)
    history.add("Scheduled", parameters=json.dumps(arguments), timeoutInSeconds=timeout)
    history.add("Started")
    try:
        if callback:
            result = _wait_for_callback(resource, arguments, context["Task"]["Token"], timeout, history)
        else:
            result = _invoke(lambda: sfn._invoke_resource(resource, arguments), timeout)
    except sfn._ExecutionError as error:
        ending = "TimedOut" if error.error == "States.Timeout" else "Failed"
        history.add(ending, error=error.error, cause=error.cause)
        raise
    history.add("Succeeded", output=json.dumps(result))
    if not jsonata:
        output = sfn._apply_result_path(state, data, sfn._apply_result_selector(state, result))
        return sfn._apply_output_path(state, output, context)
    with history.evaluation(context):
        output = sfn._apply_jsonata_output(state, data, context, result=result, default=result)
        sfn._apply_state_assign(state, data, context, result=result)
    return output


class _History:
    """Writes a task's events: Lambda events for a bare function ARN, Task events for an integration."""

    def __init__(self, execution: Execution, state: dict[str, Any]) -> None:
        self.execution = execution
        resource = state["Resource"]
        self.bare = ":function:" in resource
        kind, _, action = resource.removeprefix("arn:aws:states:::").rpartition(":")
        self.named = {"resource": resource} if self.bare else {"resourceType": kind, "resource": action}

    def add(self, what: str, **details: Any) -> None:
        if self.bare:
            if "parameters" in details:
                details = {"input": details.pop("parameters"), **self.named, **details}
            event = f"LambdaFunction{what}"
        else:
            details = {**self.named, **details}
            event = f"Task{what}"
        key = f"{event[0].lower()}{event[1:]}EventDetails"
        add_event(self.execution, event, {key: details} if details else None)

    def evaluation(self, context: dict[str, Any]) -> _Evaluation:
        return _Evaluation(self.execution, context["State"]["Name"])


class _Evaluation:
    """Records a JSONata expression that failed."""

    def __init__(self, execution: Execution, state_name: str) -> None:
        self.execution = execution
        self.state_name = state_name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sfn._ExecutionError):
            details = {"error": error.error, "cause": error.cause, "state": self.state_name}
            add_event(self.execution, "EvaluationFailed", {"evaluationFailedEventDetails": details})


def _invoke(call: Callable[[], Any], timeout: float) -> Any:
    """Run `call` for at most `timeout` seconds; the thread of a longer call is left to end alone."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits)
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    thread.start()
    thread.join(timeout)
    if failure:
        raise failure[0]
    if not outcome:
        raise sfn._ExecutionError("States.Timeout", "")
    return outcome[0]


def _wait_for_callback(resource: str, arguments: Any, token: str, timeout: float, history: _History) -> Any:
    deadline = time.monotonic() + timeout
    info: dict[str, Any] = {"event": threading.Event(), "heartbeat": None}
    sfn._task_tokens[token] = info
    history.execution.setdefault("waiting", []).append(token)

    def submit() -> None:
        # A failed invocation fails the task, unless the task has been answered already.
        try:
            response = sfn._invoke_resource(resource.removesuffix(CALLBACK), arguments)
            with lock:
                if not info["event"].is_set():
                    history.add("Submitted", output=json.dumps(response))
        except sfn._ExecutionError as error:
            _settle(token, error={"Error": error.error, "Cause": error.cause})
        except Superseded:
            return

    threading.Thread(target=contextvars.copy_context().run, args=(submit,), daemon=True).start()
    answered = info["event"].wait(min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX))
    with lock:
        info["event"].set()  # An answer that comes after a time-out comes too late.
    if not answered:
        raise sfn._ExecutionError("States.Timeout", "")
    if "error" in info:
        raise sfn._ExecutionError(info["error"]["Error"], info["error"]["Cause"])
    if "result" not in info:
        raise Superseded  # The execution ended while the task was waiting.
    return json.loads(info["result"])


def _settle(token: str, **outcome: Any) -> Response:
    """Answer a waiting task once. Says what AWS says of a token that is unknown or already closed."""
    with lock:
        info = sfn._task_tokens.get(token)
        if info is None:
            return answer_error("InvalidToken", "Invalid Token: 'Invalid token'")
        if info["event"].is_set():
            return answer_error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        info.update(outcome)
        info["event"].set()
    return answer_json({})


def send_success(data: dict[str, Any]) -> Response:
    """The SendTaskSuccess action."""
    output = data.get("output", "")
    if len(output.encode()) > MAX_PAYLOAD_BYTES:
        return answer_error("ValidationException", f"output: at most {MAX_PAYLOAD_BYTES} bytes")
    try:
        json.loads(output)
    except ValueError:
        return answer_error("InvalidOutput", "Invalid Output: 'the output is not valid JSON'")
    return _settle(data.get("taskToken", ""), result=output)


def send_failure(data: dict[str, Any]) -> Response:
    """The SendTaskFailure action."""
    error = {"Error": data.get("error") or "", "Cause": data.get("cause") or ""}
    return _settle(data.get("taskToken", ""), error=error)


def send_heartbeat(data: dict[str, Any]) -> Response:
    """The SendTaskHeartbeat action; MiniStack keeps no heartbeat time-out."""
    info = sfn._task_tokens.get(data.get("taskToken", ""))
    if info is None or info["event"].is_set():
        return _settle(data.get("taskToken", ""))
    return answer_json({})


def call_lambda(invoke: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Invoke a function; a throttle carries the error name that AWS gives it."""

    def call(function: Any, event: Any) -> Any:
        try:
            return invoke(function, event)
        except sfn._ExecutionError as error:
            if error.error == "Lambda.Unknown" and "TooManyRequestsException" in error.cause:
                raise sfn._ExecutionError("Lambda.TooManyRequestsException", error.cause) from None
            raise

    return call
