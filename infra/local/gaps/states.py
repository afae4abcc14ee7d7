"""Step Functions executions: redrive, execution time-outs, and the fields that tell of them.

MiniStack walks a definition from its start to its end, once. Here the walk remembers where it stands, so that
a redrive enters at the state that was entered and not exited. Rules:
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html

Map and Parallel states are run again as a whole; AWS runs only their failed branches again.
"""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import time
from datetime import timedelta
from typing import Any

from infra.local.gaps.descriptions import describe, emit_status, listing, redrivability
from infra.local.gaps.patching import Execution, Response, answer_error, answer_json, replace, service

logger = logging.getLogger(__name__)
sfn = service("services.stepfunctions")
responses = service("core.responses")

CLIENT_TOKEN_PERIOD = timedelta(minutes=15)
MAX_PAYLOAD_BYTES = 262_144
"""Quota for the input or output of a state or execution, as UTF-8."""

lock = threading.RLock()
"""Held for every change of an execution's status or history, and of a task token."""

_attempt: contextvars.ContextVar[int | None] = contextvars.ContextVar("attempt", default=None)
"""The redrive count under which the current thread walks its execution."""


class Superseded(Exception):
    """The execution was stopped, timed out or redriven while this thread was still walking it."""


def fill() -> None:
    handle_request = sfn.handle_request

    async def with_redrive(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Response:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            response: Response = sfn._finalize_response(redrive(json.loads(body or b"{}")))
            return response
        answer: Response = await handle_request(method, path, headers, body, query)
        return answer

    replace(
        sfn,
        handle_request=with_redrive,
        _run_execution=run,
        _add_event=add_event,
        _stop_execution=stop,
        _describe_execution=describe,
        _list_executions=listing(sfn._list_executions),
        _emit_execution_status_event=emit_status,
        _error_matches=error_matches,
    )


def add_event(execution: Execution, event_type: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Append to the history. Raises Superseded on a thread whose attempt is no longer the running one."""
    with lock:
        attempt = _attempt.get()
        if attempt is not None and not _is_current(execution, attempt):
            raise Superseded
        events = execution["events"]
        event = {"id": len(events) + 1, "previousEventId": len(events), "type": event_type}
        event |= {"timestamp": responses.now_iso(), **(details or {})}
        events.append(event)
        return event


def _is_current(execution: Execution, attempt: int) -> bool:
    return bool(execution["status"] == "RUNNING" and execution.get("redriveCount", 0) == attempt)


def close(execution: Execution, attempt: int, status: str, event: str, details: dict[str, Any]) -> None:
    """End the execution, unless the attempt has been superseded. `details` hold error, cause or output."""
    with lock:
        if not _is_current(execution, attempt):
            return
        add_event(execution, event, {f"{event[0].lower()}{event[1:]}EventDetails": details})
        execution.update(status=status, stopDate=responses.now_iso(), output=None, error=None, cause=None)
        execution.update(details)
        release_tokens(execution)
    emit_status(execution)


def release_tokens(execution: Execution) -> None:
    """Close the tasks that wait for a callback: nobody can answer them any more."""
    for token in execution.pop("waiting", ()):
        if info := sfn._task_tokens.get(token):
            info["event"].set()


def run(exec_arn: str) -> None:
    """Walk an execution from where it stands to its end. Runs in a thread of its own."""
    execution = sfn._executions.get(exec_arn)
    if execution is None:
        return
    attempt = execution.get("redriveCount", 0)
    reset = _attempt.set(attempt)
    timer: threading.Timer | None = None
    try:
        machine = sfn._state_machines.get(execution["stateMachineArn"])
        if machine is None:
            raise sfn._ExecutionError("StateMachineDeleted", "The state machine no longer exists")
        # A redrive uses the definition that the execution was started with.
        definition = json.loads(execution.setdefault("definition", machine["definition"]))
        if seconds := definition.get("TimeoutSeconds"):
            call: tuple[Any, ...] = (close, execution, attempt, "TIMED_OUT", "ExecutionTimedOut", {})
            timer = threading.Timer(seconds, contextvars.copy_context().run, call)
            timer.daemon = True
            timer.start()
        output = _walk(execution, machine, definition)
        close(execution, attempt, "SUCCEEDED", "ExecutionSucceeded", {"output": output})
    except Superseded:
        logger.info("attempt %d of %s was superseded", attempt, exec_arn)
    except sfn._ExecutionError as error:
        close(execution, attempt, "FAILED", "ExecutionFailed", {"error": error.error, "cause": error.cause})
    except Exception as error:
        logger.exception("unexpected error in %s", exec_arn)
        close(
            execution, attempt, "FAILED", "ExecutionFailed", {"error": "States.Runtime", "cause": str(error)}
        )
    finally:
        if timer:
            timer.cancel()
        _attempt.reset(reset)


def _walk(execution: Execution, machine: dict[str, Any], definition: dict[str, Any]) -> str:
    """Returns the execution's output as JSON text."""
    resumed = "position" in execution
    name, data = execution.get("position") or (definition["StartAt"], json.loads(execution["input"]))
    context = _context(execution, machine, definition)
    while name:
        state = definition["States"][name]
        kind = state["Type"]
        context["State"] = {"Name": name, "EnteredTime": responses.now_iso(), "RetryCount": 0}
        # A redrive continues a state that has been entered; only Fail is entered again.
        if not resumed or kind == "Fail":
            details = {"name": name, "input": json.dumps(data)}
            add_event(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": details})
        execution["position"] = (name, data)
        output, following = _run_state(kind, state, data, execution, context)
        text = json.dumps(output)
        if len(text.encode()) > MAX_PAYLOAD_BYTES:
            cause = f"The state '{name}' returned a result above {MAX_PAYLOAD_BYTES} bytes"
            raise sfn._ExecutionError("States.DataLimitExceeded", cause)
        add_event(
            execution, f"{kind}StateExited", {"stateExitedEventDetails": {"name": name, "output": text}}
        )
        name, data, resumed = following, output, False
        if name:
            execution["position"] = (name, data)
    return json.dumps(data)


def _run_state(
    kind: str, state: Any, data: Any, execution: Execution, context: dict[str, Any]
) -> tuple[Any, str | None]:
    if kind == "Fail":
        raise sfn._ExecutionError(*sfn._fail_state_error(state, data, context))
    if kind == "Succeed":
        if sfn._state_query_language(state, context) == "JSONata":
            return sfn._apply_jsonata_output(state, data, context, default=data), None
        return sfn._apply_output_path(state, sfn._apply_input_path(state, data, context), context), None
    handlers = {"Task": sfn._execute_task, "Parallel": sfn._execute_parallel, "Map": sfn._execute_map}
    if kind in handlers:
        output, following = handlers[kind](state, data, execution, context)
    else:
        simple = {"Pass": sfn._execute_pass, "Choice": sfn._execute_choice, "Wait": sfn._execute_wait}
        output, following = simple[kind](state, data, context)
    return output, following


def _context(execution: Execution, machine: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    """The context object, as `$states.context` shows it. RedriveTime exists only after a redrive."""
    context = {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": execution["executionArn"],
            "Input": json.loads(execution["input"]),
            "Name": execution["name"],
            "RoleArn": machine["roleArn"],
            "StartTime": execution["startDate"],
            "RedriveCount": execution.get("redriveCount", 0),
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine["name"]},
        "variables": execution.setdefault("variables", {}),
    }
    if execution.get("redriveDate"):
        context["Execution"]["RedriveTime"] = execution["redriveDate"]
    return context


def redrive(data: dict[str, Any]) -> Response:
    """The RedriveExecution action."""
    arn = data.get("executionArn", "")
    execution = sfn._executions.get(arn)
    if execution is None:
        return answer_error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    with lock:
        tokens = execution.setdefault("redriveTokens", {})
        token = data.get("clientToken")
        if token in tokens and time.time() - tokens[token][0] < CLIENT_TOKEN_PERIOD.total_seconds():
            return answer_json({"redriveDate": tokens[token][1]})
        reason = redrivability(execution)[1]
        if reason:
            return answer_error("ExecutionNotRedrivable", reason)
        now = responses.now_iso()
        count = execution.get("redriveCount", 0) + 1
        execution.update(status="RUNNING", redriveCount=count, redriveDate=now)
        execution.update(stopDate=None, output=None, error=None, cause=None)
        if token:
            tokens[token] = (time.time(), now)
        add_event(execution, "ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": count}})
    emit_status(execution)
    # The walk runs in the account and region of this request.
    threading.Thread(target=contextvars.copy_context().run, args=(run, arn), daemon=True).start()
    return answer_json({"redriveDate": now})


def stop(data: dict[str, Any]) -> Response:
    """The StopExecution action. A second call answers with the first one's date."""
    arn = data.get("executionArn", "")
    execution = sfn._executions.get(arn)
    if execution is None:
        return answer_error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    details = {key: data[key] for key in ("error", "cause") if data.get(key)}
    close(execution, execution.get("redriveCount", 0), "ABORTED", "ExecutionAborted", details)
    return answer_json({"stopDate": execution["stopDate"]})


def error_matches(error_equals: list[str], error: str) -> bool:
    """Whether a retrier or catcher names an error. `States.ALL` does not include the two terminal errors:
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    if error in error_equals:
        return True
    if "States.ALL" in error_equals:
        return error not in ("States.DataLimitExceeded", "States.Runtime")
    return "States.TaskFailed" in error_equals and error != "States.Timeout"
