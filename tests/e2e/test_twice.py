"""Twice is once: everything that AWS may deliver again is delivered again."""

from __future__ import annotations

import base64
import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import Standing
from functions.core.incidents.incident import Status
from tests.e2e.conftest import CRASH

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


def delivery(app: App, *texts: str, batch: str = "1") -> bytes:
    """What CloudWatch Logs invokes a subscribed function with."""
    now = int(time.time() * 1000)
    payload = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": app.log_groups[0],
        "logStream": "stream",
        "subscriptionFilters": ["self-heal"],
        "logEvents": [
            {"id": f"{batch}-{n}", "timestamp": now, "message": text} for n, text in enumerate(texts)
        ],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()
    return json.dumps({"awslogs": {"data": packed}}).encode()


def detect(world: World, payload: bytes) -> dict[str, Any]:
    answer = world.client("lambda").invoke(FunctionName="self-heal-detect-errors:live", Payload=payload)
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    assert not answer.get("FunctionError"), body
    return body


def test_a_delivery_that_comes_three_times_is_one_incident_and_one_heal(world: World) -> None:
    app = world.app()
    payload = delivery(app, CRASH, CRASH.replace("'NZ'", "'AU'"))
    for _ in range(3):
        detect(world, payload)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    assert incident.occurrences == 2
    assert len(world.incidents(app)) == 1
    assert len(world.executions(app)) == 1


def test_deliveries_at_once_are_counted_once(world: World) -> None:
    app = world.app()
    payloads = [delivery(app, CRASH, batch=str(n % 3)) for n in range(9)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda payload: detect(world, payload), payloads))
    incident = world.until(app, Status.AWAITING_APPROVAL)
    assert incident.occurrences == 3
    assert len(world.executions(app)) == 1


def test_a_doubled_stream_record_starts_a_duplicate_that_ends_at_once(world: World) -> None:
    app = world.app()
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    world.client("stepfunctions").start_execution(
        stateMachineArn=world.target.output("StateMachineArn"),
        input=json.dumps([{"incident_id": incident.incident_id}]),
    )

    def ended() -> object:
        rows = world.executions(app)
        return rows if len(rows) == 2 and any(row["status"] == "SUCCEEDED" for row in rows) else None

    world.eventually(ended, lambda: str(world.executions(app)))
    assert world.until(app, Status.AWAITING_APPROVAL).execution_arn == incident.execution_arn
    assert world.decide(incident, Verdict.APPROVE).standing is Standing.ACCEPTED
    world.until(app, Status.PR_OPEN)
    assert len(world.pulls(app)) == 1


def test_clicks_at_once_are_one_decision(world: World) -> None:
    app = world.app()
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    choices = [(Verdict.APPROVE, "", ""), (Verdict.REJECT, "no", "too_risky")] * 3
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda c: world.decide(incident, *c), choices))
    approval = world.approval(incident)
    for (verdict, _, _), answer in zip(choices, answers, strict=True):
        assert (answer.standing is Standing.ACCEPTED) == (str(verdict) == approval.decision)
    over = world.until(app, Status.PR_OPEN, Status.REJECTED)
    assert (over.status is Status.PR_OPEN) == (approval.decision == "approve")
    late = world.decide(incident, Verdict.REVISE, "too late")
    assert late.standing is Standing.ALREADY_DECIDED
    assert len(world.pulls(app)) == (approval.decision == "approve")


def test_a_doubled_failure_event_is_one_report(world: World) -> None:
    app = world.app()
    restore = world.deny("fetch_source")
    world.log(app)
    failed = world.until(app, Status.FAILED)
    restore()
    execution = world.executions(app)[0]
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "executionArn": failed.execution_arn,
            "stateMachineArn": world.target.output("StateMachineArn"),
            "status": "FAILED",
            "input": execution["input"],
            "redriveCount": 0,
            "error": "AccessDenied",
            "cause": "doubled",
        },
    }
    for _ in range(2):
        answer = world.client("lambda").invoke(
            FunctionName="self-heal-report-failure:live", Payload=json.dumps(event).encode()
        )
        assert not answer.get("FunctionError"), answer["Payload"].read()
    assert world.target.incidents.get(failed.incident_id).updated_at == failed.updated_at
