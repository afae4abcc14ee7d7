"""`requeue`: put back what could not be processed, once its cause is mended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.incidents.incident import Status
from functions.core.notify.counts import counted
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_document
from infra.cli.options import AsJson, Local
from infra.errors import UserError
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# The most that SQS hands out at once (ReceiveMessage, MaxNumberOfMessages).
_BATCH = 10
# A short poll asks some of a queue's servers, and may find nothing where there is something.
_POLL_SECONDS = 2
# Longer than a batch takes, each message for as long as its function may: none comes twice.
_HIDDEN_SECONDS = 900
# A queue hands out in no order. After so many batches in a row that came meanwhile, nothing older is left.
_IN_VAIN = 10


@dataclass(frozen=True, slots=True)
class Requeued:
    """How much was put back, and what failed again (it stays in its queue)."""

    detections: int
    heals: int
    failure_reports: int
    failed_again: tuple[str, ...]


def requeue(local: Local = False, as_json: AsJson = False) -> None:
    """Process again what lies in the failure queues, and start heals that were never started."""
    target = connect(local)
    result = requeue_all(target)
    if as_json:
        print_document("requeue/1", asdict(result))
    else:
        out.print(
            plain(
                f"put back: {counted(result.detections, 'log delivery', 'log deliveries')},"
                f" {counted(result.heals, 'heal')}, {counted(result.failure_reports, 'failure report')}"
            )
        )
    if result.failed_again:
        raise UserError(
            f"{len(result.failed_again)} failed again and stay queued; the first: {result.failed_again[0]}",
            f"mend the cause, then: selfheal requeue{target.flag}",
        )


def requeue_all(target: Target) -> Requeued:
    """Empty the three queues as far as that succeeds now."""
    failed: list[str] = []
    report_failure = f"{target.names.function('report_failure')}:live"
    detections = _drain(
        target,
        target.output("FailedDetectionsUrl"),
        lambda body: _invoke(target, target.output("DetectErrorsArn"), body["requestPayload"]),
        failed,
    )
    reports = _drain(
        target,
        target.output("UnreportedFailuresUrl"),
        lambda body: _invoke(target, report_failure, body.get("requestPayload", body)),
        failed,
    )
    heals = _start_heals(target)
    # These hold stream positions only; the table itself has just been swept.
    _drain(target, target.output("UnstartedHealsUrl"), lambda body: None, failed)
    return Requeued(detections, heals, reports, tuple(failed))


def _drain(target: Target, queue: str, process: Callable[[Any], None], failed: list[str]) -> int:
    """Process each message that is in the queue now, once; delete it when that went well, else give it back.

    What comes into the queue in the meantime stays there for the next time: so this ends.
    """
    sqs = target.session.client("sqs")
    started = time.time()
    seen: set[str] = set()
    back: list[str] = []
    done = in_vain = 0
    try:
        while in_vain < _IN_VAIN and (messages := _receive(sqs, queue)):
            fresh = [m for m in messages if m["MessageId"] not in seen and _sent(m) <= started]
            back += [m["ReceiptHandle"] for m in messages if m not in fresh]
            in_vain = 0 if fresh else in_vain + 1
            for message in fresh:
                seen.add(message["MessageId"])
                try:
                    process(json.loads(message["Body"]))
                except (UserError, ClientError, ValueError, KeyError, TypeError) as error:
                    failed.append(str(error))
                    back.append(message["ReceiptHandle"])
                    continue
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                done += 1
    finally:
        _give_back(sqs, queue, back)
    return done


def _give_back(sqs: SQSClient, queue: str, receipts: list[str]) -> None:
    """Show messages again. One whose time is over is shown already, and refused alone: that is no error."""
    for start in range(0, len(receipts), _BATCH):
        sqs.change_message_visibility_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + _BATCH])
            ],
        )


def _receive(sqs: SQSClient, queue: str) -> list[MessageTypeDef]:
    """Some messages; none means that the queue is empty, which only a long poll tells for sure."""
    return sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=_BATCH,
        WaitTimeSeconds=_POLL_SECONDS,
        VisibilityTimeout=_HIDDEN_SECONDS,
        MessageSystemAttributeNames=["SentTimestamp"],
    ).get("Messages", [])


def _sent(message: MessageTypeDef) -> float:
    """When it came into the queue, in seconds since 1970."""
    return int(message["Attributes"]["SentTimestamp"]) / 1000


def _invoke(target: Target, function: str, payload: Any) -> None:
    answer = target.session.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps(payload).encode()
    )
    if answer.get("FunctionError"):
        body = json.loads(answer["Payload"].read())
        raise UserError(f"{body.get('errorType')}: {body.get('errorMessage')}")


def _start_heals(target: Target) -> int:
    """Start an execution for every NEW incident; if one was starting anyway, one of the two is Duplicate."""
    states = target.session.client("stepfunctions")
    waiting = [i for i in target.incidents.every() if i.status is Status.NEW]
    for incident in waiting:
        states.start_execution(
            stateMachineArn=target.output("StateMachineArn"),
            input=json.dumps([{"incident_id": incident.incident_id}]),
        )
    return len(waiting)
