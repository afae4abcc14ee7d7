"""What the runner is handed, and what its end means: nothing that code under test says is taken for more."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from functions.core.aws.deployment import Deployment
from functions.core.aws.names import PING
from functions.core.aws.settings import Settings
from functions.core.workflow.errors import RunnerUnavailable
from functions.core.workflow.runs import NOTHING_RAN
from functions.run_patch import dispatch
from functions.run_patch.dispatch import Dispatcher
from functions.run_patch.lane import ADDRESS_SECONDS, addresses, signing
from functions.runner import delivery

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:self-heal-runner"
BUCKET, FOLDER = "artifacts", "runs/heal-1/2-5ca1ab1e"
KEYS: dict[str, Any] = {
    "region_name": "eu-central-1",
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}


@pytest.fixture
def stub(aws: None) -> Iterator[tuple[Dispatcher, Stubber]]:
    """A dispatcher whose Lambda answers as it is told, and refuses every other request."""
    functions = boto3.client("lambda", **KEYS)
    s3 = boto3.client("s3", config=signing("eu-central-1", None), **KEYS)
    with Stubber(functions) as stubber:
        yield Dispatcher(s3, functions, ARN), stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def invoked(stub: tuple[Dispatcher, Stubber], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests that the dispatcher makes, each beside what the stub checks of it."""
    dispatcher, _ = stub
    made, invoke = [], dispatcher.functions.invoke

    def recorded(**given: Any) -> Any:
        made.append(given)
        return invoke(**given)

    monkeypatch.setattr(dispatcher.functions, "invoke", recorded)
    return made


def answers(stubber: Stubber, payload: bytes = b"{}", **fields: Any) -> None:
    body = StreamingBody(io.BytesIO(payload), len(payload))
    expected = {"FunctionName": ARN, "TenantId": ANY, "Payload": ANY}
    stubber.add_response("invoke", {"StatusCode": 200, "Payload": body, **fields}, expected)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-7"])
def test_addresses_are_those_of_the_bucket_in_its_own_region(region: str) -> None:
    """The name for all regions answers with a redirection, which a signed request cannot follow."""
    s3 = boto3.client("s3", config=signing(region, None), **{**KEYS, "region_name": region})
    for address in addresses(s3, BUCKET, FOLDER).values():
        assert urlsplit(address).netloc == f"{BUCKET}.s3.{region}.amazonaws.com"
        assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in address


def test_exactly_two_objects_are_signed_each_for_one_use(
    stub: tuple[Dispatcher, Stubber], invoked: list[dict[str, Any]]
) -> None:
    dispatcher, stubber = stub
    answers(stubber)
    assert dispatcher.run(BUCKET, FOLDER, "heal-1") == ""
    event = json.loads(invoked[0]["Payload"])
    assert event.keys() == {"job", "report"}
    for name, key in (("job", "job.zip"), ("report", "report.json")):
        parts = urlsplit(event[name])
        assert parts.path.endswith(f"/{FOLDER}/{key}")
        assert BUCKET in parts.netloc + parts.path
        assert parse_qs(parts.query)["X-Amz-Expires"] == [str(ADDRESS_SECONDS)]
        assert parse_qs(parts.query)["X-Amz-SignedHeaders"] == ["host"]
    assert b"testing" not in invoked[0]["Payload"].replace(b"Credential=testing", b""), "no secret key"


@pytest.mark.parametrize(("made_with", "method"), [("get_object", "GET"), ("put_object", "PUT")])
def test_an_address_is_good_for_its_own_method_alone(
    made_with: str, method: str, stub: tuple[Dispatcher, Stubber], invoked: list[dict[str, Any]]
) -> None:
    """The method is part of what is signed: the other method's signature for the same object is another."""
    dispatcher, stubber = stub
    answers(stubber)
    dispatcher.run(BUCKET, FOLDER, "heal-1")
    event = json.loads(invoked[0]["Payload"])
    given = event["job" if method == "GET" else "report"]
    key = urlsplit(given).path.rpartition("/")[2]
    other = "put_object" if made_with == "get_object" else "get_object"

    def signature(address: str) -> list[str]:
        return parse_qs(urlsplit(address).query)["X-Amz-Signature"]

    def signed(how: str) -> str:
        return dispatcher.s3.generate_presigned_url(
            how, Params={"Bucket": BUCKET, "Key": f"{FOLDER}/{key}"}, ExpiresIn=ADDRESS_SECONDS
        )

    same_second = (
        parse_qs(urlsplit(given).query)["X-Amz-Date"]
        == parse_qs(urlsplit(signed(made_with)).query)["X-Amz-Date"]
    )
    assert signature(signed(other)) != signature(given)
    assert not same_second or signature(signed(made_with)) == signature(given)


def test_no_two_runs_are_of_one_tenant(
    stub: tuple[Dispatcher, Stubber], invoked: list[dict[str, Any]]
) -> None:
    dispatcher, stubber = stub
    for _ in range(3):
        answers(stubber)
        dispatcher.run(BUCKET, FOLDER, "heal-" + "x" * 300)
    tenants = [request["TenantId"] for request in invoked]
    assert len(set(tenants)) == 3
    limit = boto3.client("lambda", **KEYS).meta.service_model.shape_for("TenantId").metadata
    assert all(limit["min"] <= len(tenant) <= limit["max"] for tenant in tenants)


@pytest.mark.parametrize("code", sorted(dispatch._PASSING))
def test_what_passes_is_tried_again_later_and_says_nothing_of_the_patch(
    code: str, stub: tuple[Dispatcher, Stubber]
) -> None:
    dispatcher, stubber = stub
    stubber.add_client_error("invoke", code, "later")
    with pytest.raises(RunnerUnavailable, match="cannot be started now"):
        dispatcher.run(BUCKET, FOLDER, "heal-1")


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterValueException", "Unknown"])
def test_what_does_not_pass_is_raised_as_it_is(code: str, stub: tuple[Dispatcher, Stubber]) -> None:
    dispatcher, stubber = stub
    stubber.add_client_error("invoke", code, "never")
    with pytest.raises(ClientError, match=code):
        dispatcher.run(BUCKET, FOLDER, "heal-1")


def test_every_error_that_passes_is_one_that_lambda_documents() -> None:
    """A misspelt one would never be met."""
    model = boto3.client("lambda", **KEYS).meta.service_model
    known = {error.name for error in model.operation_model("Invoke").error_shapes}
    assert known >= dispatch._PASSING


@pytest.mark.parametrize(
    "error",
    [HTTPClientError(error="connection reset"), EndpointConnectionError(endpoint_url="https://lambda")],
)
@pytest.mark.parametrize("length", [0, 4096])
def test_an_answer_that_does_not_come_is_tried_again_unless_the_report_is_there(
    length: int, error: Exception, stub: tuple[Dispatcher, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher, _ = stub

    def lost(**_: Any) -> None:
        raise error

    monkeypatch.setattr(dispatcher.functions, "invoke", lost)
    with Stubber(dispatcher.s3) as s3:
        key = {"Bucket": BUCKET, "Key": f"{FOLDER}/report.json"}
        s3.add_response("head_object", {"ContentLength": length}, key)
        if length:
            assert dispatcher.run(BUCKET, FOLDER, "heal-1") == ""
        else:
            with pytest.raises(RunnerUnavailable, match="did not come"):
                dispatcher.run(BUCKET, FOLDER, "heal-1")


def failed(kind: Any, message: Any) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (failed("Runtime.ExitError", "exited with code 137"), "Runtime.ExitError: exited with code 137"),
        (failed("Sandbox.Timedout", "timed out\nafter 900 s"), "Sandbox.Timedout: timed out after 900 s"),
        (failed("Runtime.OutOfMemory", ""), "Runtime.OutOfMemory: "),
        (failed(["JobUnreachable"], ["x"]), "['JobUnreachable']: ['x']"),
        (failed("x" * 5000, "y" * 5000), f"{'x' * 100}: "),
        (b"not json", "an unreadable error"),
        (b"", "an unreadable error"),
        (b"null", "an unreadable error"),
        (b'["JobUnreachable"]', "an unreadable error"),
        (b"[" * 4096, "an unreadable error"),
        (b"\xff" * 10, "an unreadable error"),
    ],
)
def test_a_runner_that_failed_is_a_run_without_a_report(
    payload: bytes, said: str, stub: tuple[Dispatcher, Stubber]
) -> None:
    dispatcher, stubber = stub
    answers(stubber, payload, FunctionError="Unhandled")
    ended = dispatcher.run(BUCKET, FOLDER, "heal-1")
    assert ended.startswith("the runner ended with ")
    assert said in ended or "unreadable" in ended
    assert len(ended) < 400
    assert "\n" not in ended


@pytest.mark.parametrize("kind", sorted(NOTHING_RAN))
def test_when_nothing_could_be_run_it_is_tried_again(kind: str, stub: tuple[Dispatcher, Stubber]) -> None:
    dispatcher, stubber = stub
    answers(stubber, failed(kind, "timed out"), FunctionError="Unhandled")
    with pytest.raises(RunnerUnavailable, match="timed out"):
        dispatcher.run(BUCKET, FOLDER, "heal-1")


def test_the_names_are_those_of_the_runners_own_errors() -> None:
    own = {name for name in NOTHING_RAN if not name.startswith("Runtime.")}
    assert {delivery.JobUnreachable.__name__, delivery.ReportUndelivered.__name__} == own


def test_what_a_runner_says_without_an_error_is_not_listened_to(stub: tuple[Dispatcher, Stubber]) -> None:
    dispatcher, stubber = stub
    answers(stubber, failed("JobUnreachable", "accepted"))
    assert dispatcher.run(BUCKET, FOLDER, "heal-1") == ""


def test_the_handler_reads_the_order_from_the_state(
    aws: None, monkeypatch: pytest.MonkeyPatch, lambda_context: LambdaContext
) -> None:
    from functions.run_patch.handler import handler

    monkeypatch.setenv("ARTIFACTS_BUCKET", BUCKET)
    monkeypatch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    monkeypatch.setenv("RUNNER_ARN", ARN)
    asked: list[tuple[str, str, str]] = []

    def run(self: Dispatcher, bucket: str, folder: str, heal_id: str) -> str:
        asked.append((bucket, folder, heal_id))
        return "the runner ended with X"

    monkeypatch.setattr(Dispatcher, "run", run)
    state = {
        "incident_id": "shop-1f3c",
        "app": "shop",
        "heal_id": "heal-1",
        "attempt": 2,
        "validation": {"verdict": "deferred", "run": {"folder": FOLDER}},
    }
    assert handler(state, lambda_context) == {"ended": "the runner ended with X", "lane": "lambda"}
    assert asked == [(BUCKET, FOLDER, "heal-1")]


def test_a_ping_goes_on_to_the_runner_in_an_environment_of_its_own(
    aws: None, monkeypatch: pytest.MonkeyPatch, lambda_context: LambdaContext
) -> None:
    from functions.run_patch import handler as module

    client = boto3.client("lambda")
    session: Any = SimpleNamespace(client=lambda name, **options: client)
    expected = {"FunctionName": ARN, "TenantId": ANY, "Payload": json.dumps(PING).encode()}
    for runner in (ARN, ""):  # without one: a stack whose patches run in MicroVMs
        deployment = Deployment(Settings(runner_arn=runner), session=session)
        monkeypatch.setattr(module, "deployment", lambda deployment=deployment: deployment)
        with Stubber(client) as stubber:
            if runner:
                answer = {"StatusCode": 200, "Payload": io.BytesIO(b"{}")}
                stubber.add_response("invoke", answer, expected)
            assert module.handler(PING, lambda_context) == {"outcome": "awake"}
            stubber.assert_no_pending_responses()
