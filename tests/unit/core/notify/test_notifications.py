"""Notifications: readable subjects, and a failure that harms nothing."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.stub import Stubber

from functions.core.notify.notifications import Notifications, subject_line


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("KeyError in orders", "KeyError in orders"),
        ("two\nlines\tand\x07a bell", "two lines and a bell"),
        ("Füße", "F e"),
        ("x" * 120, "x" * 97 + "..."),
    ],
)
def test_subjects_fit_what_sns_accepts(text: str, subject: str) -> None:
    assert subject_line(text).replace("  ", " ") == subject
    assert len(subject_line(text)) <= 100


def test_a_refused_notification_is_only_said(aws: None) -> None:
    client = boto3.client("sns")
    with Stubber(client) as stub:
        stub.add_client_error("publish", "AuthorizationError", "not allowed")
        assert Notifications(client, "arn:aws:sns:us-east-1:1:t").send("s", "t") is False


def test_a_notification_is_published(aws: None) -> None:
    client = boto3.client("sns")
    topic = client.create_topic(Name="team")["TopicArn"]
    assert Notifications(client, topic).send("subject", "text")


def test_what_is_for_one_person_goes_where_only_they_read_it(aws: None) -> None:
    client, queues = boto3.client("sns"), boto3.client("sqs")
    team, personal = (client.create_topic(Name=name)["TopicArn"] for name in ("team", "personal"))
    boxes = {}
    for name, topic, policy in (
        ("everybody", team, {}),
        ("ana", personal, {"FilterPolicy": json.dumps({"recipient": ["ana@shop.example"]})}),
        ("ben", personal, {"FilterPolicy": json.dumps({"recipient": ["ben@shop.example"]})}),
    ):
        boxes[name] = queues.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        client.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=policy)

    Notifications(client, team, personal).send("subject", "ana's link", "ana@shop.example")

    read = {name: queues.receive_message(QueueUrl=url).get("Messages", []) for name, url in boxes.items()}
    assert {name for name, messages in read.items() if messages} == {"ana"}
    with pytest.raises(ValueError, match="only they read"):
        Notifications(client, team).send("subject", "ana's link", "ana@shop.example")
