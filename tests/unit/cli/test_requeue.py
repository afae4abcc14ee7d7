"""`requeue`: every message once, all that are there, none that come meanwhile; and then it ends."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import boto3
import pytest

from infra.cli import requeue
from infra.errors import UserError
from infra.target import Target


@pytest.fixture
def queue(aws: None) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="failed")["QueueUrl"])


@pytest.fixture
def target(queue: str, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setattr(requeue, "_POLL_SECONDS", 0)  # The emulator waits for real.
    return Target(boto3.Session(), {})


def put(queue: str, *numbers: int) -> None:
    for number in numbers:
        boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(number))


def left(queue: str) -> int:
    answer = boto3.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def test_all_messages_are_processed_however_many_there_are(queue: str, target: Target) -> None:
    put(queue, *range(25))
    processed: list[int] = []

    assert requeue._drain(target, queue, processed.append, []) == 25

    assert sorted(processed) == list(range(25))
    assert left(queue) == 0


def test_what_fails_is_tried_once_and_is_there_for_the_next_time_at_once(queue: str, target: Target) -> None:
    put(queue, *range(15))
    tried: Counter[int] = Counter()
    failed: list[str] = []

    def process(number: int) -> None:
        tried[number] += 1
        if number % 2:
            raise UserError(f"{number} failed again")

    assert requeue._drain(target, queue, process, failed) == 8

    assert set(tried.values()) == {1}
    assert len(failed) == 7
    assert left(queue) == 7


def test_what_comes_meanwhile_is_left_for_the_next_time(queue: str, target: Target) -> None:
    """Else a cause that is not mended would fill the queue as fast as it is emptied."""
    put(queue, 1)
    processed: list[int] = []

    def process(number: int) -> None:
        processed.append(number)
        assert number < 5, "it never ends"
        time.sleep(0.01)  # Queues tell the time in milliseconds.
        put(queue, number + 1)

    assert requeue._drain(target, queue, process, []) == 1

    assert processed == [1]
    assert left(queue) == 1


def test_a_queue_is_polled_long(aws: None) -> None:
    """A short poll asks some of the servers, and may find nothing where there is something."""
    asked: list[dict[str, Any]] = []

    class Queue:
        def receive_message(self, **parameters: Any) -> dict[str, Any]:
            asked.append(parameters)
            return {}

    assert requeue._receive(Queue(), "url") == []  # type: ignore[arg-type]  # the one call that it makes

    assert asked[0]["WaitTimeSeconds"] >= 1
    assert asked[0]["VisibilityTimeout"] >= requeue._BATCH * 60, "as long as detect_errors may take for each"
