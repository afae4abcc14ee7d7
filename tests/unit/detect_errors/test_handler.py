"""DetectErrors as CloudWatch Logs invokes it: one write per distinct error, twice is once, none is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.core.apps.entries import note
from functions.core.aws.deployment import deployment
from functions.core.incidents.incident import ErrorClass, Incident, Status
from functions.core.incidents.table import Incidents
from functions.detect_errors import handler as edge
from functions.detect_errors import step as edge_step
from functions.detect_errors.events import Batch, LogEvent
from functions.detect_errors.recorder import Recorder
from tests.log_texts import encode_batch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.fakes.emulated import LambdaContext

GROUP, STREAM = "/aws/lambda/orders", "2026/11/20/[$LATEST]abc"
NOW = 1_795_000_000_000

CRASH = """[ERROR] KeyError: 'NZ'
Traceback (most recent call last):
  File "/var/task/orders/shipping.py", line 28, in rate_for
    return RATES[country]
           ~~~~~^^^^^^^^^
"""
OTHER = CRASH.replace("KeyError", "TypeError").replace("rate_for", "quote")
TIMEOUT = (
    "2026-11-20T10:00:00.000Z 0f8fad5b-d9cb-469f-a165-70867728950e Task timed out after 3.00 seconds\n\n"
)


LONG = (
    "Traceback (most recent call last):\n"
    + "".join(
        f'  File "/var/task/orders/{"m" * 200}.py", line {n}, in f{n}\n    {"é" * 900}\n' for n in range(400)
    )
    + "ValueError: too deep\n"
)
"""A stack whose item would be beyond what DynamoDB holds."""
LEAKY = """Traceback (most recent call last):
  File "/var/task/orders/customers/ana.maria@example.com/db.py", line 12, in connect
    return driver.connect("db.internal", user="app", password="Tr0ub4dor&3")
ValueError: cannot connect
"""

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def topic(incidents_table: Table, deliveries_table: Table, monkeypatch: pytest.MonkeyPatch) -> str:
    """The function's environment; returns the queue that receives notifications."""
    entry = {
        "log_groups": [GROUP],
        "repository": "https://github.com/shop/orders.git",
        "packages": ["orders"],
    }
    boto3.client("ssm").put_parameter(
        Name="/self-heal/apps/orders", Value=json.dumps(entry), Type="SecureString"
    )
    arn = boto3.client("sns").create_topic(Name="team")["TopicArn"]
    queue = boto3.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    boto3.client("sns").subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox"
    )
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    monkeypatch.setenv("DELIVERIES_TABLE", deliveries_table.name)
    monkeypatch.setenv("REGISTRY_PATH", "/self-heal/apps")
    monkeypatch.setenv("TOPIC_ARN", arn)
    return queue


@pytest.fixture
def invoke(topic: str, lambda_context: LambdaContext) -> Invoke:
    def call(*messages: str, group: str = GROUP, first: int = NOW, owner: str = "1") -> dict[str, Any]:
        events = tuple(LogEvent(f"id{first}-{n}", first + n, text) for n, text in enumerate(messages))
        data = encode_batch(Batch(group, STREAM, owner, events))
        return edge.handler({"awslogs": {"data": data}}, lambda_context)

    return call


@pytest.fixture
def incidents(incidents_table: Table) -> Incidents:
    return Incidents(incidents_table)


def only(incidents: Incidents) -> Incident:
    """The only incident, whole."""
    (listed,) = incidents.recent()
    return incidents.get(listed.incident_id)


def inbox(queue: str) -> list[dict[str, str]]:
    messages = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_the_cost_of_a_batch_goes_by_its_distinct_errors_and_not_by_its_events(
    invoke: Invoke, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: Counter[str] = Counter()

    def count(params: Any, model: Any, **_: Any) -> None:
        writes[model.name] += 1

    client = deployment().table("incidents_table").meta.client
    client.meta.events.register("before-call.dynamodb", count)
    result = invoke(*[CRASH.replace("'NZ'", repr(str(n))) for n in range(50)], *[OTHER] * 30)
    assert result == {"outcome": "recorded", "errors": 80, "incidents": 2, "counted_before": 0}
    assert writes == {
        # Of the app, once while the function is warm: whether it has errors of older rules.
        "Query": 1,
        # The incidents; for each that is new, whether the hour before left somebody waiting; the app.
        "GetItem": 2 + 2 + 1,
        # That it asks for a heal; the incident: when it is new, and for its count; what waits to be told.
        "UpdateItem": 2 + 4 + 1 + 2,
        "TransactWriteItems": 2,  # the delivery, once
        "BatchGetItem": 2,
    }
    assert sorted(i.occurrences for i in incidents.recent()) == [30, 50]
    assert {i.status for i in incidents.recent()} == {Status.NEW}


def test_the_same_delivery_counts_once(invoke: Invoke, incidents: Incidents) -> None:
    for _ in range(3):
        result = invoke(CRASH, CRASH)
    assert result["counted_before"] == 1
    assert incidents.recent()[0].occurrences == 2
    invoke(CRASH, first=NOW + 60_000)
    assert incidents.recent()[0].occurrences == 3


def test_a_batch_that_fails_half_way_is_completed_by_the_retry(
    invoke: Invoke, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Recorder.record
    calls = 0

    def breaking(self: Recorder, sighting: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "UpdateItem")
        return whole(self, sighting)

    monkeypatch.setattr(Recorder, "record", breaking)
    with pytest.raises(ClientError):
        invoke(CRASH, OTHER, CRASH)
    assert invoke(CRASH, OTHER, CRASH)["counted_before"] == 1
    assert sorted(i.occurrences for i in incidents.recent()) == [1, 2]


def test_what_is_not_the_code_s_fault_is_recorded_and_told_once(
    invoke: Invoke, incidents: Incidents, topic: str
) -> None:
    invoke(TIMEOUT)
    invoke(TIMEOUT, first=NOW + 60_000)
    incident = only(incidents)
    assert (incident.status, incident.error_class) == (Status.SUPPRESSED, ErrorClass.TIMEOUT)
    assert incident.next_action
    assert incident.occurrences == 2
    (mail,) = inbox(topic)
    assert "timeout" in mail["Subject"]
    assert incident.next_action in mail["Message"]


def test_the_app_s_own_package_heals_wherever_it_is_installed(invoke: Invoke, incidents: Incidents) -> None:
    invoke(CRASH, CRASH.replace("/var/task/", "/usr/local/lib/python3.13/site-packages/"))
    incident = only(incidents)
    assert (incident.status, incident.occurrences) == (Status.NEW, 2)
    invoke(CRASH.replace("/var/task/", "/usr/local/lib/python3.13/site-packages/not_"), first=NOW + 60_000)
    assert {i.status for i in incidents.recent()} == {Status.NEW, Status.SUPPRESSED}


def test_an_app_may_opt_in_to_more_classes(invoke: Invoke, incidents: Incidents) -> None:
    entry = {
        "log_groups": [GROUP],
        "repository": "https://github.com/shop/orders.git",
        "heal_classes": ["code", "timeout"],
    }
    boto3.client("ssm").put_parameter(
        Name="/self-heal/apps/orders", Value=json.dumps(entry), Type="SecureString", Overwrite=True
    )
    invoke(TIMEOUT)
    assert incidents.recent()[0].status is Status.NEW


def test_secrets_and_personal_data_never_reach_the_table(
    invoke: Invoke, incidents: Incidents, incidents_table: Table
) -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    invoke(CRASH.replace("'NZ'", f"'ada@example.com {secret}'"))
    stored = str(incidents_table.scan()["Items"])
    assert secret not in stored
    assert "ada@example.com" not in stored
    assert "[redacted" in incidents.recent()[0].title


def test_lines_that_are_events_of_their_own_are_read_back(invoke: Invoke, incidents: Incidents) -> None:
    lines = [*CRASH.replace("[ERROR] KeyError: 'NZ'\n", "").splitlines(), "KeyError: 'NZ'"]
    logs = boto3.client("logs")
    logs.put_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        logEvents=[{"timestamp": NOW + n, "message": line} for n, line in enumerate(["INFO start", *lines])],
    )
    result = invoke(lines[0], first=NOW + 1)
    assert result["errors"] == 1
    incident = only(incidents)
    assert (incident.title, incident.status) == ("KeyError: 'NZ'", Status.NEW)
    assert incident.frames[-1].function == "rate_for"
    assert "rate_for" in incident.sample


def test_a_cut_traceback_whose_rest_is_gone_is_recorded_as_it_is(
    invoke: Invoke, incidents: Incidents
) -> None:
    assert invoke("Traceback (most recent call last):")["incidents"] == 1
    assert incidents.recent()[0].occurrences == 1


@pytest.mark.parametrize(
    ("group", "outcome"),
    [
        ("/aws/lambda/self-heal-fetch-source", "own_log_group"),
        ("/aws/vendedlogs/states/self-heal-workflow", "own_log_group"),
        ("/central/222222222222/aws/lambda/self-heal-beta-fetch-source", "own_log_group"),
        ("/aws/codebuild/self-heal-orders", "own_log_group"),
        ("/aws/lambda/nobody", "unregistered"),
    ],
)
def test_other_log_groups_are_left_alone(
    invoke: Invoke, incidents: Incidents, group: str, outcome: str
) -> None:
    assert invoke(CRASH, group=group)["outcome"] == outcome
    assert incidents.recent() == []


def test_an_error_is_recorded_under_the_name_that_its_app_has_now(
    invoke: Invoke, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke(CRASH)
    ssm, registry = boto3.client("ssm"), deployment().registry
    entry = registry.app("orders").stated() | {"first_name": "orders"}
    ssm.put_parameter(Name="/self-heal/apps/shop", Value=json.dumps(entry), Type="SecureString")
    ssm.put_parameter(Name="/self-heal/apps/orders", Value=note("shop"), Overwrite=True)
    soon = registry._clock() + edge_step.REST_SECONDS
    monkeypatch.setattr(registry._entries, "_clock", lambda: soon)
    invoke(OTHER, first=NOW + 1)
    invoke(CRASH, first=NOW + 2)
    assert {one.incident_id[:7]: one.occurrences for one in incidents.every("shop")} == {"orders-": 1}
    assert [one.occurrences for one in incidents.every("orders")] == [2]


def test_where_all_is_delivered_a_tagged_functions_errors_are_its_own_and_every_step_finds_the_app(
    invoke: Invoke, incidents: Incidents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCOVERS", "account")
    family = json.dumps({"repository": "https://github.com/acme/*"})
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/acme", Value=family, Type="SecureString")
    role = boto3.client("iam").create_role(RoleName="rates", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    boto3.client("lambda").create_function(
        FunctionName="rates",
        Role=role,
        Runtime="python3.13",
        Handler="rates.handler",
        Code={"ZipFile": b"rates"},
        Tags={"self-heal:repository": "https://github.com/acme/rates.git"},
    )

    assert invoke(CRASH, group="/aws/lambda/rates", owner="123456789012")["incidents"] == 1

    assert deployment().registry.app(only(incidents).app).slug == "acme/rates"


def test_where_all_is_delivered_what_is_nobodys_costs_no_call_and_no_line(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCOVERS", "account")
    assert invoke(CRASH, group="/aws/lambda/nobody")["outcome"] == "unregistered"
    calls: Counter[str] = Counter()
    ssm = deployment().parameters.client
    ssm.meta.events.register("before-call", lambda model, **_: calls.update([model.name]))
    capsys.readouterr()
    for number in range(20):
        assert invoke(CRASH, group="/ecs/nobody", first=NOW + number)["outcome"] == "unregistered"

    assert calls == {}
    assert "no app has" not in capsys.readouterr().out


def test_events_without_an_error_record_nothing(invoke: Invoke, incidents: Incidents) -> None:
    assert invoke("Traceback is a word", "START RequestId: 1", "all is well")["outcome"] == "no_errors"
    assert incidents.recent() == []


def test_the_log_never_holds_what_was_logged(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    invoke(CRASH.replace("NZ", "a-very-private-value"))
    written = capsys.readouterr()
    assert '"outcome":"recorded"' in written.out
    assert "a-very-private-value" not in written.out + written.err


CHAINED = """\
Traceback (most recent call last):
  File "/var/task/orders/rates.py", line 6, in rate
    return RATES[country]
  File "/var/lang/lib/python3.12/json/decoder.py", line 1, in decode
    x
KeyError: 'NZ'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/var/task/orders/api.py", line 9, in quote
    raise QuoteError("no rate")
orders.api.QuoteError: no rate
"""


def test_own_frames_of_the_causes_are_kept_with_the_incident(invoke: Invoke, incidents: Incidents) -> None:
    invoke(CHAINED)
    incident = only(incidents)
    assert [frame.function for frame in incident.frames] == ["quote"]
    assert [frame.function for frame in incident.causes] == ["rate"]


NAMED: dict[str, tuple[dict[str, Any], str]] = {
    "a commit": ({"git_sha": "1a2b3c4d", "version": "1.2"}, "1a2b3c4d"),
    "a version": ({"version": "1.2.0+build.7"}, "1.2.0+build.7"),
    "deeper down": ({"request": {"git_sha": "1a2b3c4d"}}, ""),
    "in the message": ({"message": '{"git_sha": "1a2b3c4d"}'}, ""),
    "no name of a revision": ({"version": "--upload-pack=x", "git_sha": 7}, ""),
}


@pytest.mark.parametrize("case", NAMED)
def test_the_revision_that_a_record_names_is_kept(invoke: Invoke, incidents: Incidents, case: str) -> None:
    fields, revision = NAMED[case]
    invoke(json.dumps({"level": "ERROR", "exc_info": CRASH, **fields}))
    incident = only(incidents)
    assert incident.revision == revision


def test_a_stack_too_long_for_an_item_is_cut_in_the_middle(invoke: Invoke, incidents: Incidents) -> None:
    assert invoke(LONG, CRASH)["incidents"] == 2

    (listed,) = [one for one in incidents.recent("orders") if one.error_type == "ValueError"]
    long = incidents.get(listed.incident_id)
    assert len(long.frames) == 50
    assert (long.frames[0].function, long.frames[-1].function) == ("f0", "f399")
    item = json.dumps(long.to_json(), ensure_ascii=False)
    assert len(item.encode()) < 380_000


def test_frames_are_redacted_before_they_are_kept(invoke: Invoke, incidents: Incidents) -> None:
    invoke(LEAKY)

    incident = only(incidents)
    kept = json.dumps(incident.to_json())
    assert "Tr0ub4dor" not in kept
    assert "ana.maria" not in kept
    assert "driver.connect(" in incident.frames[0].code


@pytest.mark.parametrize(("code", "raised"), [("ValidationException", False), ("ThrottlingException", True)])
def test_what_cannot_be_written_costs_only_itself(
    invoke: Invoke, incidents: Incidents, monkeypatch: pytest.MonkeyPatch, code: str, raised: bool
) -> None:
    record = Recorder.record

    def refuse_the_first(self: Recorder, sighting: Any) -> Any:
        if sighting.error_type == "KeyError":
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "UpdateItem")
        return record(self, sighting)

    monkeypatch.setattr(Recorder, "record", refuse_the_first)
    with pytest.raises(ClientError) if raised else nullcontext():
        invoke(CRASH, OTHER)

    assert [one.error_type for one in incidents.recent("orders")] == ["TypeError"]
