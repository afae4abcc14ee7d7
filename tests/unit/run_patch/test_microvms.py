"""A MicroVM per run, told by the service's own model: what is asked, what its end means, and that it ends."""

from __future__ import annotations

import base64
import datetime
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber

from functions.core.workflow.errors import RunnerUnavailable
from functions.core.workflow.runs import MICROVM
from functions.harness.job import Job
from functions.run_patch import microvms
from functions.run_patch.lane import addresses
from functions.run_patch.microvms import LIFE_SECONDS, WAIT_SECONDS, MicroVms, pack
from functions.runner.microvm import addresses_in

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

HERE = "eu-central-1:123456789012"
IMAGE = f"arn:aws:lambda:{HERE}:microvm-image:self-heal-runner"
CONNECTOR = f"arn:aws:lambda:{HERE}:network-connector:nc-1"
NO_INGRESS = "arn:aws:lambda:eu-central-1:aws:network-connector:aws-network-connector:NO_INGRESS"
BUCKET, FOLDER = "artifacts", "runs/heal-1/2-5ca1ab1e"
REPORT = {"Bucket": BUCKET, "Key": f"{FOLDER}/report.json"}
KEYS: dict[str, Any] = {
    "region_name": "eu-central-1",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}
VM: dict[str, Any] = {
    "microvmId": "microvm-1",
    "endpoint": "https://microvm-1.lambda-microvm.eu-central-1.on.aws",
    "imageArn": IMAGE,
    "imageVersion": "1.0",
    "maximumDurationInSeconds": LIFE_SECONDS,
    "startedAt": datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
}
NAMED = {"microvmIdentifier": "microvm-1"}


@dataclass
class Service:
    """S3 and the MicroVMs' service as they are told to answer; they refuse every other request, and every
    request or answer that their models do not know."""

    s3: Stubber
    microvms: Stubber
    lane: MicroVms
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The parameters of each RunMicrovm."""

    def starts(self) -> None:
        self.s3.add_response("put_object", {}, {**REPORT, "Body": b""})
        request = {
            "imageIdentifier": IMAGE,
            "ingressNetworkConnectors": [NO_INGRESS],
            "egressNetworkConnectors": [CONNECTOR],
            "runHookPayload": ANY,
            "maximumDurationInSeconds": LIFE_SECONDS,
            "logging": {"disabled": {}},
            "clientToken": ANY,
        }
        self.microvms.add_response("run_microvm", {**VM, "state": "PENDING"}, request)

    def finds(self, state: str, size: int = 0, reason: str = "") -> None:
        """One look: the machine's state, or an error's code; then the report's size in bytes."""
        if state.endswith("Exception"):
            self.microvms.add_client_error("get_microvm", state, expected_params=NAMED)
        else:
            given = {"stateReason": reason} if reason else {}
            self.microvms.add_response("get_microvm", {**VM, "state": state, **given}, NAMED)
        self.s3.add_response("head_object", {"ContentLength": size}, REPORT)

    def ends(self, code: str = "") -> None:
        if code:
            self.microvms.add_client_error("terminate_microvm", code, expected_params=NAMED)
        else:
            self.microvms.add_response("terminate_microvm", {}, NAMED)

    def run(self, heal_id: str = "heal-1") -> str:
        return self.lane.run(BUCKET, FOLDER, heal_id)


@pytest.fixture
def service(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"), **KEYS)
    client: Any = boto3.client("lambda-microvms", **KEYS)
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    lane = MicroVms(s3, client, IMAGE, CONNECTOR, sleep=sleep, clock=lambda: now[0])
    with Stubber(s3) as store, Stubber(client) as machines:
        made = Service(store, machines, lane)
        run_microvm = client.run_microvm

        def recorded(**given: Any) -> Any:
            made.asked.append(given)
            return run_microvm(**given)

        monkeypatch.setattr(client, "run_microvm", recorded)
        yield made
        store.assert_no_pending_responses()
        machines.assert_no_pending_responses()


def test_a_machine_is_asked_for_waited_for_and_ended(service: Service) -> None:
    service.starts()
    for state, size in (("PENDING", 0), ("PENDING", 0), ("RUNNING", 0), ("RUNNING", 812)):
        service.finds(state, size)
    service.ends()

    assert service.run() == ""
    (asked,) = service.asked
    assert "executionRoleArn" not in asked, "a role would be in reach of code under test"
    assert "idlePolicy" not in asked, "it would suspend a machine that nobody talks to"


def test_its_hook_is_told_the_two_addresses(service: Service) -> None:
    service.starts()
    service.finds("RUNNING", 812)
    service.ends()
    service.run()

    payload = service.asked[0]["runHookPayload"]
    job, report = addresses_in(json.dumps({"microvmId": "m", "runHookPayload": payload}).encode())
    assert f"/{FOLDER}/job.zip?" in job
    assert f"/{FOLDER}/report.json?" in report


def test_a_later_run_is_another_machine(service: Service) -> None:
    for _ in range(3):
        service.starts()
        service.finds("RUNNING", 812)
        service.ends()
        service.run("heal-" + "x" * 300)

    tokens = [asked["clientToken"] for asked in service.asked]
    limit = service.lane.microvms.meta.service_model.shape_for("RunMicrovmRequestClientTokenString").metadata
    assert len(set(tokens)) == 3
    assert all(limit["min"] <= len(token) <= limit["max"] for token in tokens)


@pytest.mark.parametrize("characters", [500, 1000, 1500, 2000])
def test_the_payload_fits_whatever_session_signed_the_addresses(characters: int, service: Service) -> None:
    token = base64.b64encode(secrets.token_bytes(characters * 3 // 4)).decode()
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"), **{**KEYS, "aws_session_token": token})
    given = addresses(s3, "b" * 63, f"runs/{'h' * 80}/12-{'5' * 32}")
    limit = service.lane.microvms.meta.service_model.shape_for("RunHookPayload").metadata["max"]

    assert len(pack(given)) <= limit
    assert addresses_in(pack(given).encode()) == (given["job"], given["report"])


def test_a_report_that_is_left_just_before_the_end_counts(service: Service) -> None:
    service.starts()
    service.finds("TERMINATED", 812)
    service.ends("ConflictException")
    assert service.run() == ""


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED"])
def test_a_machine_that_ran_and_left_nothing_is_a_run_without_a_report(state: str, service: Service) -> None:
    service.starts()
    service.finds("RUNNING")
    service.finds(state, reason="kernel\npanic " + "x" * 1000)
    service.ends()

    ended = service.run()
    assert ended.startswith("the MicroVM ended without a report: kernel panic xxx")
    assert len(ended) < 300


def test_a_machine_that_never_ran_says_nothing_of_the_patch(service: Service) -> None:
    """Its run hook fails where the job cannot be had."""
    service.starts()
    service.finds("PENDING")
    service.finds("TERMINATED", reason="Run lifecycle hook returned HTTP status 502")
    service.ends()
    with pytest.raises(RunnerUnavailable, match="did not start: Run lifecycle hook returned"):
        service.run()


def test_a_machine_that_goes_on_for_ever_is_ended(service: Service) -> None:
    service.starts()
    for _ in range(WAIT_SECONDS // int(microvms._PAUSE_SECONDS) + 1):
        service.finds("RUNNING")
    service.ends()
    assert service.run() == f"the MicroVM left no report within {WAIT_SECONDS} s"


@pytest.mark.parametrize("code", sorted(microvms._PASSING))
def test_what_passes_is_tried_again_later_and_says_nothing_of_the_patch(code: str, service: Service) -> None:
    service.s3.add_response("put_object", {}, {**REPORT, "Body": b""})
    service.microvms.add_client_error("run_microvm", code, "later")
    with pytest.raises(RunnerUnavailable, match="cannot be started now"):
        service.run()


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ConflictException", "ResourceNotFoundException", "ValidationException"]
)
def test_what_does_not_pass_is_raised_as_it_is(code: str, service: Service) -> None:
    service.s3.add_response("put_object", {}, {**REPORT, "Body": b""})
    service.microvms.add_client_error("run_microvm", code, "never")
    with pytest.raises(ClientError, match=code):
        service.run()


@pytest.mark.parametrize("operation", ["RunMicrovm", "GetMicrovm", "TerminateMicrovm"])
def test_every_error_of_the_model_was_thought_of(operation: str, service: Service) -> None:
    model = service.lane.microvms.meta.service_model.operation_model(operation)
    known = {error.name for error in model.error_shapes}
    raised = {"AccessDeniedException", "ValidationException"}
    assert known <= microvms._PASSING | microvms._GONE | raised
    if operation == "RunMicrovm":
        assert known >= microvms._PASSING


LOST: list[Callable[[], Exception]] = [
    lambda: EndpointConnectionError(endpoint_url="https://lambda"),
    lambda: ReadTimeoutError(endpoint_url="https://lambda"),
]


@pytest.mark.parametrize("error", LOST)
def test_an_answer_that_does_not_come_is_tried_again(
    error: Callable[[], Exception], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(**_: Any) -> None:
        raise error()

    service.s3.add_response("put_object", {}, {**REPORT, "Body": b""})
    monkeypatch.setattr(service.lane.microvms, "run_microvm", lost)
    with pytest.raises(RunnerUnavailable, match="did not come"):
        service.run()


@pytest.mark.parametrize("code", sorted(microvms._PASSING | {"ResourceNotFoundException"}))
def test_a_state_that_cannot_be_told_is_asked_for_again(code: str, service: Service) -> None:
    service.starts()
    service.finds(code)
    service.finds("RUNNING", 812)
    service.ends()
    assert service.run() == ""


@pytest.mark.parametrize("error", LOST)
def test_a_lost_answer_about_a_machine_ends_nothing(
    error: Callable[[], Exception], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(**_: Any) -> None:
        raise error()

    service.starts()
    service.s3.add_response("head_object", {"ContentLength": 812}, REPORT)
    for name in ("get_microvm", "terminate_microvm"):
        monkeypatch.setattr(service.lane.microvms, name, lost)
    assert service.run() == ""


@pytest.mark.parametrize("code", sorted(microvms._PASSING | microvms._GONE))
def test_a_machine_that_cannot_be_ended_now_does_not_take_the_result_away(
    code: str, service: Service
) -> None:
    """Its own time runs out soon."""
    service.starts()
    service.finds("RUNNING", 812)
    service.ends(code)
    assert service.run() == ""


def test_that_machines_may_not_be_ended_is_an_error(service: Service) -> None:
    service.starts()
    service.finds("RUNNING", 812)
    service.ends("AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        service.run()


def test_whatever_happens_meanwhile_the_machine_is_ended(service: Service) -> None:
    service.starts()
    service.microvms.add_client_error("get_microvm", "AccessDeniedException")
    service.ends()
    with pytest.raises(ClientError, match="AccessDenied"):
        service.run()


def test_a_machine_lives_as_long_as_a_job_may_take_and_no_longer_than_a_run(service: Service) -> None:
    limit = service.lane.microvms.meta.service_model.shape_for(
        "RunMicrovmRequestMaximumDurationInSecondsInteger"
    ).metadata
    assert Job.seconds + 60 < WAIT_SECONDS < LIFE_SECONDS <= limit["max"]


@pytest.mark.parametrize(("image", "lane"), [("", "lambda"), (IMAGE, MICROVM)])
def test_the_handler_takes_the_lane_that_the_stack_chose(
    image: str, lane: str, aws: None, monkeypatch: pytest.MonkeyPatch, lambda_context: LambdaContext
) -> None:
    from functions.run_patch.dispatch import Dispatcher
    from functions.run_patch.handler import handler

    monkeypatch.setenv("ARTIFACTS_BUCKET", BUCKET)
    monkeypatch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    monkeypatch.setenv("RUNNER_ARN", f"arn:aws:lambda:{HERE}:function:self-heal-runner")
    monkeypatch.setenv("MICROVM_IMAGE", image)
    monkeypatch.setenv("MICROVM_CONNECTOR", CONNECTOR)
    for kind in (Dispatcher, MicroVms):
        monkeypatch.setattr(kind, "run", lambda self, *_: f"{self.name} was asked")
    state = {
        "incident_id": "shop-1f3c",
        "app": "shop",
        "heal_id": "heal-1",
        "attempt": 2,
        "validation": {"verdict": "deferred", "run": {"folder": FOLDER}},
    }
    assert handler(state, lambda_context) == {"ended": f"{lane} was asked", "lane": lane}
