"""Pipes from a DynamoDB stream to a state machine."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from infra.local.emulator import Emulator, free_port
from infra.local.gaps import pipes
from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

BECAME_NEW = {
    "dynamodb": {
        "NewImage": {"status": {"S": ["NEW"]}},
        "OldImage": {"status": {"S": [{"anything-but": ["NEW"]}, {"exists": False}]}},
    }
}


class Flow:
    """A table with a stream, a machine, and a pipe between them."""

    def __init__(self, bench: Any, name: str, pattern: dict[str, Any] | None = None, **stream: Any) -> None:
        self.bench = bench
        self.name = name
        self.dynamodb = bench.client("dynamodb")
        made = self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.machine = bench.make_machine(name, {"Only": {"Type": "Succeed"}})
        filters = {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]}} if pattern else {}
        self.template: dict[str, Any] = {
            "Resources": {
                "Pipe": {
                    "Type": "AWS::Pipes::Pipe",
                    "Properties": {
                        "Name": name,
                        "RoleArn": bench.role,
                        "Source": made["TableDescription"]["LatestStreamArn"],
                        "SourceParameters": {
                            "DynamoDBStreamParameters": {
                                "StartingPosition": "TRIM_HORIZON",
                                "BatchSize": 1,
                                **stream,
                            },
                            **filters,
                        },
                        "Target": self.machine,
                        "TargetParameters": {
                            "InputTemplate": '{"id": "<$.dynamodb.NewImage.id.S>"}',
                            "StepFunctionStateMachineParameters": {"InvocationType": "FIRE_AND_FORGET"},
                        },
                    },
                }
            }
        }

    def deploy(self) -> None:
        formation = self.bench.client("cloudformation")
        formation.create_stack(StackName=self.name, TemplateBody=json.dumps(self.template))
        formation.get_waiter("stack_create_complete").wait(StackName=self.name, WaiterConfig={"Delay": 0.1})

    def put(self, **item: str) -> None:
        self.dynamodb.put_item(TableName=self.name, Item={key: {"S": value} for key, value in item.items()})

    def inputs(self) -> list[Any]:
        """The inputs of all executions, sorted."""
        listed = self.bench.sfn.list_executions(stateMachineArn=self.machine)["executions"]
        described = [self.bench.sfn.describe_execution(executionArn=item["executionArn"]) for item in listed]
        return [json.loads(item) for item in sorted(item["input"] for item in described)]


def test_ministack_ignores_the_parameters_of_a_pipe(ministack: Bench, unique: str) -> None:
    flow = Flow(ministack, unique, BECAME_NEW)
    flow.deploy()
    flow.put(id="a", status="HEALING")
    [records] = ministack.wait_for(flow.inputs)
    assert records[0]["eventName"] == "INSERT"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_what_became_new_before_or_after_a_restart_starts_an_execution(
    tmp_path: Path, by: signal.Signals
) -> None:
    emulator = Emulator(tmp_path, port=free_port(), keep=True)
    emulator.start()
    try:
        flow = Flow(Bench(emulator), "kept", BECAME_NEW)
        flow.deploy()
        flow.put(id="a", status="NEW")
        flow.bench.wait_for(flow.inputs)
        kept = tmp_path / "kept" / "state" / "pipes.json"
        flow.bench.wait_for(lambda: kept.exists() and "kept" in kept.read_text())
        for name in "bc":
            flow.put(id=name, status="NEW")
        os.kill(emulator.pid, by)
        emulator.stop()
        emulator.start()
        flow.put(id="d", status="NEW")
        flow.bench.wait_for(lambda: {record["id"] for [record] in flow.inputs()} == set("abcd"))
    finally:
        emulator.stop()


def test_only_what_became_new_starts_an_execution_each(aws: Bench, unique: str) -> None:
    flow = Flow(aws, unique, BECAME_NEW)
    flow.put(id="a", status="NEW")
    flow.deploy()
    flow.put(id="a", status="NEW", note="changed")
    flow.put(id="a", status="HEALING")
    flow.put(id="b", status="NEW")
    flow.put(id="a", status="NEW")
    aws.wait_for(lambda: len(flow.inputs()) >= 3)
    assert flow.inputs() == [[{"id": "a"}], [{"id": "a"}], [{"id": "b"}]]


def test_a_bus_gets_an_event_for_each_record(aws: Bench, unique: str) -> None:
    events, sqs = aws.client("events"), aws.client("sqs")
    bus = events.create_event_bus(Name=unique)["EventBusArn"]
    queue = sqs.create_queue(QueueName=unique)["QueueUrl"]
    events.put_rule(Name=unique, EventBusName=unique, EventPattern='{"source": ["flow"]}')
    arn = f"arn:aws:sqs:{aws.emulator.region}:{aws.emulator.account}:{unique}"
    events.put_targets(Rule=unique, EventBusName=unique, Targets=[{"Id": "queue", "Arn": arn}])
    flow = Flow(aws, unique, BECAME_NEW)
    properties = flow.template["Resources"]["Pipe"]["Properties"]
    properties["Target"] = bus
    properties["TargetParameters"] = {
        "InputTemplate": '{"id": "<$.dynamodb.NewImage.id.S>"}',
        "EventBridgeEventBusParameters": {"Source": "flow", "DetailType": "Became New"},
    }
    flow.deploy()
    flow.put(id="a", status="NEW")
    flow.put(id="a", status="HEALING")

    def received() -> list[Any]:
        messages = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    (event,) = aws.wait_for(received)
    assert (event["detail-type"], event["detail"]) == ("Became New", {"id": "a"})
    assert flow.inputs() == []


def test_a_batch_is_one_array(aws: Bench, unique: str) -> None:
    flow = Flow(aws, unique, BatchSize=2)
    for name in "abc":
        flow.put(id=name, status="NEW")
    flow.deploy()
    aws.wait_for(lambda: len(flow.inputs()) == 2)
    assert flow.inputs() == [[{"id": "a"}, {"id": "b"}], [{"id": "c"}]]


def test_a_description_shows_the_parameters(aws: Bench, unique: str) -> None:
    flow = Flow(aws, unique, BECAME_NEW)
    flow.deploy()
    described = aws.client("pipes").describe_pipe(Name=unique)
    given = flow.template["Resources"]["Pipe"]["Properties"]
    assert described["SourceParameters"] == given["SourceParameters"]
    assert described["TargetParameters"]["InputTemplate"] == given["TargetParameters"]["InputTemplate"]


def test_what_cannot_be_delivered_is_reported_to_the_queue_and_passed_over(aws: Bench, unique: str) -> None:
    queue = aws.client("sqs").create_queue(QueueName=unique)["QueueUrl"]
    letters = {"Arn": f"arn:aws:sqs:{aws.emulator.region}:{aws.emulator.account}:{unique}"}
    flow = Flow(aws, unique, MaximumRetryAttempts=1, DeadLetterConfig=letters)
    flow.deploy()
    aws.sfn.delete_state_machine(stateMachineArn=flow.machine)
    flow.put(id="lost", status="NEW")

    def received() -> Any:
        return aws.client("sqs").receive_message(QueueUrl=queue).get("Messages")

    body = json.loads(aws.wait_for(received)[0]["Body"])
    assert body["context"]["condition"] == "RetryAttemptsExhausted"
    assert body["DDBStreamBatchInfo"]["batchSize"] == 1
    assert "lost" not in json.dumps(body)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"id": "<$.dynamodb.NewImage.id.S>"}', '{"id": "a"}'),
        ('{"id": <$.dynamodb.NewImage.id.S>}', '{"id": "a"}'),
        ('{"image": <$.dynamodb.NewImage>}', '{"image": {"id": {"S": "a"}}}'),
        ('{"none": "<$.dynamodb.OldImage.id.S>"}', '{"none": ""}'),
        ('"item <$.dynamodb.NewImage.id.S>"', '"item a"'),
        ('{"plain": "a < b"}', '{"plain": "a < b"}'),
    ],
)
def test_an_input_template_is_rendered(template: str, expected: str) -> None:
    record = {"dynamodb": {"NewImage": {"id": {"S": "a"}}}}
    assert pipes.render(template, record) == expected
