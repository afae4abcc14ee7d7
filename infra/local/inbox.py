"""What the topic's subscribers would be sent by e-mail, in a queue of the embedded run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.core.approval.approvals import ApprovalStatus
from functions.core.incidents.incident import Status
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

TEAM = "inbox"
"""The inbox that every embedded run has."""

_MOST_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Mail:
    """One notification, as the topic's subscribers get it."""

    sent: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class HeldQuestion:
    """A question of which people are told when quiet hours end. until: ISO 8601 in UTC."""

    incident_id: str
    title: str
    until: str


def held(target: Target) -> Iterator[HeldQuestion]:
    """What is asked, and in no inbox yet."""
    for incident in target.incidents.every():
        if incident.status is not Status.AWAITING_APPROVAL:
            continue
        asked = target.approvals.get(incident.approval_id)
        if asked and asked.status is ApprovalStatus.PENDING and asked.tell_at and not asked.told_at:
            until = datetime.fromtimestamp(asked.tell_at, UTC).isoformat()
            yield HeldQuestion(incident.incident_id, incident.title, until)


class Inbox:
    """A queue that is subscribed to the topic; `name` tells several apart."""

    def __init__(self, target: Target, name: str = TEAM) -> None:
        self._queues: SQSClient = target.session.client("sqs")
        self._topics: SNSClient = target.session.client("sns")
        team = target.output("TopicArn")
        # One inbox for all, on this machine: everybody's letters are in it, each addressed.
        self._all = (team, target.output("PersonalTopicArn"))
        self._name = name

    def open(self) -> None:
        """Receive what is sent from now on."""
        url = self._queues.create_queue(QueueName=self._name)["QueueUrl"]
        arn = self._arn(url)
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": list(self._all)}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self._queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        for topic in self._all:
            self._topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def read(self) -> list[Mail]:
        """What was sent since it was opened, oldest first; reading keeps it."""
        # Each is hidden for a second once read: that ends the loop, and lets the next look see all again.
        found = {message["MessageId"]: _mail(message) for message in self._receive(hidden_seconds=1)}
        return sorted(found.values(), key=lambda mail: mail.sent)

    def _receive(self, hidden_seconds: int) -> Iterator[MessageTypeDef]:
        url = self._url
        while messages := self._queues.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_MOST_AT_ONCE, VisibilityTimeout=hidden_seconds
        ).get("Messages"):
            yield from messages

    @property
    def _url(self) -> str:
        return self._queues.get_queue_url(QueueName=self._name)["QueueUrl"]

    def _arn(self, url: str) -> str:
        answer = self._queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]


def _mail(message: MessageTypeDef) -> Mail:
    body = json.loads(message["Body"])
    return Mail(body["Timestamp"], body.get("Subject", ""), body["Message"])
