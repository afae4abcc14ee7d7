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


def test_what_came_meanwhile_hides_nothing_that_was_there_before(
    queue: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue is handed out in no order, and a storm may go on while it is emptied."""
    put(queue, *range(100, 125), *range(5))
    monkeypatch.setattr(requeue, "_sent", lambda m: float("inf") if len(m["Body"]) == 3 else 0.0)
    processed: list[int] = []

    assert requeue._drain(target, queue, processed.append, []) == 5

    assert sorted(processed) == list(range(5))
    assert left(queue) == 25


def test_it_ends_and_tries_nothing_twice_when_it_took_longer_than_messages_stay_hidden(
    queue: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed is then there again."""
    put(queue, *range(15))
    monkeypatch.setattr(requeue, "_HIDDEN_SECONDS", 0)
    tried: Counter[int] = Counter()

    def process(number: int) -> None:
        tried[number] += 1
        raise UserError("failed again")

    assert requeue._drain(target, queue, process, []) == 0

    assert set(tried.values()) == {1}
    assert left(queue) == 15


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whoever_breaks_it_off_hides_nothing(error: type[BaseException], queue: str, target: Target) -> None:
    put(queue, 1, 2, 3)

    def process(number: int) -> None:
        if number == 3:
            raise error
        raise UserError("failed again")

    with pytest.raises(error):
        requeue._drain(target, queue, process, [])

    assert left(queue) == 2, "the third is hidden while somebody may still work on it"


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
