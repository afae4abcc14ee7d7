"""Step Functions executions: what DescribeExecution, ListExecutions and status events say of redrives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.gaps.patching import Execution, Response, answer_error, answer_json, service

sfn = service("services.stepfunctions")

REDRIVABLE_STATUSES = ("FAILED", "TIMED_OUT", "ABORTED")
REDRIVABLE_PERIOD = timedelta(days=14)
MAX_EVENTS_BEFORE_REDRIVE = 24_999


def redrivability(execution: Execution) -> tuple[str, str | None]:
    """`(redriveStatus, redriveStatusReason)` as DescribeExecution gives them."""
    status = execution["status"]
    reason = None
    if status not in REDRIVABLE_STATUSES:
        reason = f"Execution is {status} and cannot be redriven"
    elif len(execution["events"]) >= MAX_EVENTS_BEFORE_REDRIVE:
        reason = "Execution history event limit exceeded"
    elif datetime.now(UTC) - datetime.fromisoformat(execution["stopDate"]) > REDRIVABLE_PERIOD:
        reason = "Execution redrivable period exceeded"
    return ("NOT_REDRIVABLE", reason) if reason else ("REDRIVABLE", None)


def describe(data: dict[str, Any]) -> Response:
    """The DescribeExecution action."""
    arn = data.get("executionArn", "")
    execution = sfn._executions.get(arn)
    if execution is None:
        return answer_error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    status, reason = redrivability(execution)
    keys = (
        "executionArn",
        "stateMachineArn",
        "name",
        "status",
        "startDate",
        "stopDate",
        "input",
        "inputDetails",
    )
    optional = ("output", "outputDetails", "error", "cause", "mapRunArn", "redriveDate")
    result = {key: execution[key] for key in keys}
    result |= {key: execution[key] for key in optional if execution.get(key) is not None}
    result |= {"redriveCount": execution.get("redriveCount", 0), "redriveStatus": status}
    return answer_json(result | ({"redriveStatusReason": reason} if reason else {}))


def listing(list_executions: Any) -> Any:
    """ListExecutions, with the redrive count and date of each execution."""

    def with_redrives(data: dict[str, Any]) -> Response:
        status, headers, body = list_executions(data)
        if status != 200:
            return status, headers, body
        page = json.loads(body)
        for item in page["executions"]:
            execution = sfn._executions[item["executionArn"]]
            item["redriveCount"] = execution.get("redriveCount", 0)
            if execution.get("redriveDate"):
                item["redriveDate"] = execution["redriveDate"]
        return answer_json(page)

    return with_redrives


def emit_status(execution: Execution) -> None:
    """Publish "Step Functions Execution Status Change". With a customer key, payloads and error are omitted:
    https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
    """
    if execution.get("sync"):  # Express executions publish nothing.
        return
    keys = ("executionArn", "stateMachineArn", "name", "status")
    redrive_status, reason = redrivability(execution)
    detail: dict[str, Any] = {key: execution[key] for key in keys}
    detail |= {
        "startDate": sfn._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": sfn._iso_to_epoch_ms(execution["stopDate"]),
        "input": None,
        "inputDetails": None,
        "output": None,
        "outputDetails": None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": sfn._iso_to_epoch_ms(execution.get("redriveDate")),
        "redriveStatus": redrive_status,
        "redriveStatusReason": reason,
        "error": None,
        "cause": None,
    }
    encryption = execution.get("encryptionConfiguration") or {}
    if encryption.get("type") != "CUSTOMER_MANAGED_KMS_KEY":
        detail |= {"error": execution.get("error"), "cause": execution.get("cause")}
        for key in ("input", "output"):
            text = execution.get(key)
            included = text is not None and len(text) <= sfn._STATUS_EVENT_PAYLOAD_CAP
            detail[key] = text if included else None
            detail[f"{key}Details"] = None if text is None else {"included": included}
    entry: dict[str, Any] = {"Source": "aws.states", "DetailType": "Step Functions Execution Status Change"}
    entry |= {"Detail": json.dumps(detail), "Resources": [execution["executionArn"]]}
    service("services.eventbridge")._put_events({"Entries": [entry]}, allow_aws_source=True)
