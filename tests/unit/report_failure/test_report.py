"""report_failure: a failed execution marks its incident once, whatever EventBridge does with the event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from functions.core.incidents.incident import Status
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.errors import IncidentNotFound
from functions.report_failure.failure import Failure, explain, failed_step
from functions.report_failure.report import report
from tests.fakes.channel import Channel
from tests.fakes.deployments import around

if TYPE_CHECKING:
    from tests.unit.conftest import Inbox, Scene

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:self-heal"
INPUT = json.dumps([{"incident_id": "orders-v1-abc"}])
CAUSE = json.dumps(
    {
        "errorType": "ForgeAccessDenied",
        "errorMessage": "the forge refused\nthe token of app 'orders': password=hunter2hunter2",
        "stackTrace": ["line"],
    }
)


def event(status: str = "FAILED", **detail: Any) -> dict[str, Any]:
    """As EventBridge sends it, without what nobody reads."""
    return {
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "detail": {
            "executionArn": EXECUTION,
            "stateMachineArn": MACHINE,
            "name": "heal-1",
            "status": status,
            "redriveCount": 0,
            "input": INPUT,
            "error": "ForgeAccessDenied",
            "cause": CAUSE,
            **detail,
        },
    }


class Bench:
    """The function with Step Functions' answers laid out in advance; botocore checks their shapes."""

    def __init__(self, scene: Scene, notifications: Notifications, webhooks: Webhooks) -> None:
        self.client = boto3.client("stepfunctions")
        self.answers = Stubber(self.client)
        self.answers.activate()
        self._scene = scene
        self._notifications = notifications
        self._webhooks = webhooks

    def execution(self, status: str, redrives: int = 0, **more: Any) -> None:
        description = {"executionArn": EXECUTION, "stateMachineArn": MACHINE, "status": status, **more}
        description |= {"startDate": "2026-11-20T10:00:00Z", "redriveCount": redrives}
        self.answers.add_response("describe_execution", description, {"executionArn": EXECUTION})

    def history(self, *states: str) -> None:
        events = [
            {"timestamp": "2026-11-20T10:00:00Z", "type": "TaskFailed", "id": 99},
            *(
                {
                    "timestamp": "2026-11-20T10:00:00Z",
                    "type": "TaskStateEntered",
                    "id": number,
                    "stateEnteredEventDetails": {"name": name},
                }
                for number, name in enumerate(states, 1)
            ),
        ]
        expected = {"executionArn": EXECUTION, "reverseOrder": True, "maxResults": ANY}
        expected["includeExecutionData"] = False
        self.answers.add_response("get_execution_history", {"events": events}, expected)

    def handle(self, arrived: dict[str, Any]) -> Any:
        deployment = around(
            self._scene,
            step_functions=self.client,
            notifications=self._notifications,
            webhooks=self._webhooks,
        )
        return report(arrived, deployment)


@pytest.fixture
def bench(scene: Scene, inbox: Inbox, webhooks: Webhooks) -> Bench:
    topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
    return Bench(scene, Notifications(boto3.client("sns"), topic), webhooks)


def test_a_failure_names_the_step_the_cause_and_the_way_on(scene: Scene, bench: Bench, inbox: Inbox) -> None:
    bench.execution("FAILED")
    bench.history("CommitPatch", "AwaitApproval")
    bench.handle(event())
    incident, (message,) = scene.incidents.get("orders-v1-abc"), inbox()
    assert incident.status is Status.FAILED
    assert incident.reason.startswith("CommitPatch failed: ForgeAccessDenied: the forge refused the token of")
    assert incident.next_action == "selfheal redrive orders-v1-abc"
    assert message["Subject"] == "[orders] Heal failed at CommitPatch: KeyError: 'NZ'"
    for part in (
        incident.reason,
        "selfheal redrive orders-v1-abc",
        "selfheal doctor orders",
        "console.aws.amazon.com/states",
        EXECUTION,
    ):
        assert part in message["Message"]


def test_the_reason_is_redacted(scene: Scene, bench: Bench, inbox: Inbox) -> None:
    bench.execution("FAILED")
    bench.history("CommitPatch")
    bench.handle(event())
    assert "hunter2" not in scene.incidents.get("orders-v1-abc").reason + inbox()[0]["Message"]


def test_a_doubled_event_reports_once(bench: Bench, inbox: Inbox, channel: Channel) -> None:
    for _ in range(2):
        bench.execution("FAILED")
        bench.history("CommitPatch")
    assert bench.handle(event()) is not None
    assert bench.handle(event()) is None
    assert len(inbox()) == 1
    assert len(channel.posted) == 2, "Slack and Teams, each once"


def test_channels_learn_the_step_the_cause_and_the_way_on(bench: Bench, channel: Channel) -> None:
    bench.execution("FAILED")
    bench.history("CommitPatch")
    bench.handle(event())
    for text in channel.texts:
        for words in (
            "orders: heal failed at CommitPatch: KeyError: 'NZ'",
            "CommitPatch failed: ForgeAccessDenied",
            "selfheal redrive orders-v1-abc",
            "console.aws.amazon.com/states",
        ):
            assert words in text
        assert "hunter2" not in text


def test_channels_that_fail_do_not_fail_the_report(scene: Scene, bench: Bench, channel: Channel) -> None:
    channel.status = 500
    bench.execution("FAILED")
    bench.history("CommitPatch")
    assert bench.handle(event()) is not None
    assert scene.incidents.get("orders-v1-abc").status is Status.FAILED


def test_a_late_event_of_a_redriven_execution_that_runs_changes_nothing(scene: Scene, bench: Bench) -> None:
    bench.execution("RUNNING", redrives=1)
    assert bench.handle(event()) is None
    assert scene.incidents.get("orders-v1-abc").status is Status.HEALING


def test_a_late_event_reports_the_newer_failure(scene: Scene, bench: Bench, inbox: Inbox) -> None:
    bench.execution("TIMED_OUT", redrives=1, input=INPUT)
    bench.history("CreatePullRequest")
    bench.handle(event())
    assert scene.incidents.get("orders-v1-abc").reason == "CreatePullRequest timed out."
    bench.execution("TIMED_OUT", redrives=1)
    bench.history("CreatePullRequest")
    assert bench.handle(event("TIMED_OUT", redriveCount=1)) is None
    assert len(inbox()) == 1


def test_a_second_failure_after_a_redrive_is_reported_again(bench: Bench, inbox: Inbox) -> None:
    for redrives in (0, 1):
        bench.execution("FAILED", redrives)
        bench.history("CommitPatch")
        assert bench.handle(event(redriveCount=redrives)) is not None
    assert len(inbox()) == 2


def test_an_outdated_description_does_not_hide_a_failure(scene: Scene, bench: Bench) -> None:
    bench.execution("RUNNING", redrives=0)
    bench.history("CommitPatch")
    bench.handle(event())
    assert scene.incidents.get("orders-v1-abc").status is Status.FAILED


def test_without_input_in_the_event_the_execution_is_asked(scene: Scene, bench: Bench) -> None:
    bench.execution("FAILED", input=INPUT)
    bench.history("CommitPatch")
    bench.handle(event(input=None, error=None, cause=None))
    assert scene.incidents.get("orders-v1-abc").reason == "CommitPatch failed: unknown error"


@pytest.mark.parametrize("text", ["", "null", "[]", "[{}]", "{}", '["x"]', "broken"])
def test_an_execution_of_something_else_is_an_error(bench: Bench, text: str) -> None:
    more: dict[str, Any] = {"input": text} if text else {}
    bench.execution("FAILED", **more)
    with pytest.raises(IncidentNotFound, match="names no incident"):
        bench.handle(event(input=text))


def test_a_heal_that_is_over_stays_as_it_is(scene: Scene, bench: Bench, inbox: Inbox) -> None:
    scene.incidents.advance("orders-v1-abc", EXECUTION, status="PR_OPEN")
    bench.execution("ABORTED")
    bench.history("RecordOutcome")
    assert bench.handle(event("ABORTED")) is None
    assert scene.incidents.get("orders-v1-abc").status is Status.PR_OPEN
    assert inbox() == []


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
def test_what_is_no_failure_is_ignored(bench: Bench, status: str) -> None:
    assert bench.handle(event(status)) is None


@pytest.mark.parametrize(
    ("status", "error", "cause", "step", "reason"),
    [
        ("FAILED", "E", "", "Step", "Step failed: E"),
        ("FAILED", "E", "plain words", "Step", "Step failed: E: plain words"),
        ("FAILED", "", '{"errorType": "E", "errorMessage": "m"}', "Step", "Step failed: E: m"),
        ("FAILED", "E", '{"unexpected": 1}', "Step", 'Step failed: E: {"unexpected": 1}'),
        ("FAILED", "E", "[]", "", "the execution failed: E: []"),
        (
            "FAILED",
            "States.TaskFailed",
            '{"Build": {"BuildStatus": "TIMED_OUT", "Logs": {"DeepLink": "https://console/log"}}}',
            "RunBuild",
            "RunBuild failed: States.TaskFailed: the build ended with TIMED_OUT. Log: https://console/log",
        ),
        ("FAILED", "States.Timeout", "", "AwaitApproval", "Nobody decided in time: AwaitApproval timed out."),
        ("TIMED_OUT", "", "", "FetchSource", "FetchSource timed out."),
        ("ABORTED", "", "", "FetchSource", "Stopped by hand at FetchSource."),
        ("ABORTED", "", "wrong app", "FetchSource", "Stopped by hand at FetchSource: wrong app"),
    ],
)
def test_reasons_read_well(status: str, error: str, cause: str, step: str, reason: str) -> None:
    assert explain(Failure(EXECUTION, status, 0, error, cause), step) == reason


def test_a_reason_is_bounded() -> None:
    assert len(explain(Failure(EXECUTION, "FAILED", 0, "E", "x" * 40_000), "Step")) == 1_000


def test_a_history_without_states_names_none() -> None:
    assert failed_step([{"type": "ExecutionFailed"}]) == ""
