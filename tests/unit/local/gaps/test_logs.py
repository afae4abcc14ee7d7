"""Log subscriptions and EventBridge rules that invoke functions."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

# Keeps each event it gets; raises while the message asks for it.
RECEIVER = """
import base64, boto3, gzip, json
def handler(event, context):
    if "awslogs" in event:
        event = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("GOT " + json.dumps(event["logEvents"] if "logEvents" in event else event["detail"]))
    if "broken" in json.dumps(event):
        raise RuntimeError("asked for")
"""


def subscribed(bench: Any, name: str, pattern: str) -> None:
    arn = bench.make_function(name, RECEIVER, Publish=True)
    bench.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    bench.logs.create_log_group(logGroupName=f"/app/{name}")
    bench.logs.create_log_stream(logGroupName=f"/app/{name}", logStreamName="s")
    bench.logs.put_subscription_filter(
        logGroupName=f"/app/{name}", filterName="f", filterPattern=pattern, destinationArn=f"{arn}:live"
    )


def log(bench: Any, name: str, *messages: str) -> None:
    events = [{"timestamp": int(time.time() * 1000), "message": message} for message in messages]
    bench.logs.put_log_events(logGroupName=f"/app/{name}", logStreamName="s", logEvents=events)


def got(bench: Any, name: str) -> list[str]:
    return [message for message in bench.messages(f"/aws/lambda/{name}") if message.startswith("GOT ")]


def test_ministack_wants_all_optional_terms(ministack: Bench, unique: str) -> None:
    subscribed(ministack, unique, "?ERROR ?Traceback")
    log(ministack, unique, "ERROR one", "ERROR Traceback both")
    delivered = ministack.wait_for(lambda: got(ministack, unique))
    assert [event["message"] for event in json.loads(delivered[0][4:])] == ["ERROR Traceback both"]


def test_ministack_does_not_retry_a_subscriber(ministack: Bench, unique: str) -> None:
    subscribed(ministack, unique, "ERROR")
    log(ministack, unique, "ERROR broken")
    ministack.wait_for(lambda: got(ministack, unique))
    time.sleep(1)  # Far longer than the pauses between retries here.
    assert len(got(ministack, unique)) == 1


def test_a_subscription_delivers_what_matches_to_the_alias(aws: Bench, unique: str) -> None:
    subscribed(aws, unique, '?ERROR ?"Task timed out"')
    log(aws, unique, "INFO fine", "ERROR one", "x Task timed out after 3.00 seconds", "Task done")
    delivered = aws.wait_for(lambda: got(aws, unique))
    messages = [event["message"] for event in json.loads(delivered[0][4:])]
    assert messages == ["ERROR one", "x Task timed out after 3.00 seconds"]
    assert any(message.endswith("Version: 1") for message in aws.messages(f"/aws/lambda/{unique}"))


def test_a_function_that_fails_is_tried_thrice_and_then_reported(aws: Bench, unique: str) -> None:
    subscribed(aws, unique, "ERROR")
    queue = aws.client("sqs").create_queue(QueueName=unique)["QueueUrl"]
    arn = f"arn:aws:sqs:{aws.emulator.region}:{aws.emulator.account}:{unique}"
    aws.lambda_.put_function_event_invoke_config(
        FunctionName=unique,
        Qualifier="live",
        MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    log(aws, unique, "ERROR broken")
    assert aws.wait_for(lambda: aws.client("sqs").receive_message(QueueUrl=queue).get("Messages"))
    assert len(got(aws, unique)) == 3


def test_a_rule_invokes_with_retries(aws: Bench, unique: str) -> None:
    arn = aws.make_function(unique, RECEIVER)
    events = aws.client("events")
    events.put_rule(Name=unique, EventPattern=json.dumps({"source": [unique]}))
    events.put_targets(Rule=unique, Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": unique, "DetailType": "t", "Detail": '{"state": "broken"}'}])
    aws.wait_for(lambda: len(got(aws, unique)) == 3)


def test_a_pattern_that_cannot_be_understood_is_refused(aws: Bench, unique: str) -> None:
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        subscribed(aws, unique, '{ $.level = "ERROR" }')
