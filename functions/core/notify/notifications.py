"""Notifications to people, through SNS. A notification that fails never fails a heal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from functions.core.approval.approvers import EVERYBODY
from functions.core.aws.telemetry import logger
from functions.core.incidents.incident import Incident
from functions.core.notify.commands import Commands

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

# Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, "Subject": ASCII text, at most 100
# characters, no line breaks or control characters.
_SUBJECT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class About:
    """What a notification is about: message attributes, by which subscriptions choose (filter policies)."""

    app: str
    kind: str
    """`question`, `reminder`, `outcome`, `failure`, `recorded`, `digest`, `held`."""
    error_class: str = ""
    severity: str = "normal"
    """`high`: a heal failed, or an error came back after its fix; `low`: nothing has to be done now."""

    @classmethod
    def incident(cls, incident: Incident, kind: str) -> Self:
        high = kind == "failure" or bool(incident.regressed_from)
        severity = "high" if high else "low" if kind in ("recorded", "digest") else "normal"
        return cls(incident.app, kind, str(incident.error_class), severity)


class Notifications:
    """Publishes to the topic that the team subscribes to, and to the one of messages for one person each."""

    def __init__(
        self,
        client: SNSClient,
        topic_arn: str,
        personal_topic_arn: str = "",
        commands: Commands = Commands(),  # noqa: B008 - frozen
    ) -> None:
        self.commands = commands
        self._client = client
        self._topic_arn = topic_arn
        self._personal_topic_arn = personal_topic_arn

    def send(
        self,
        subject: str,
        text: str,
        recipient: str = "",
        about: About | None = None,
        *,
        verbatim: bool = False,
    ) -> bool:
        """Publish to the team, or to the one person named; False (and a log line) when that failed.

        verbatim: the text stays as it is; else its commands are made whole, which may be in no patch.
        `recipient` is a message attribute, by which each subscription to the personal topic gets its own
        only. Raises ValueError for a recipient where there is no such topic: others would read it.
        """
        named = asdict(about) if about else {}
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in named.items() if value
        }
        topic = self._topic_arn
        if recipient not in ("", EVERYBODY):
            if not self._personal_topic_arn:
                raise ValueError("a message for one person has no topic that only they read")
            topic = self._personal_topic_arn
        if recipient:
            attributes["recipient"] = {"DataType": "String", "StringValue": recipient}
        try:
            self._client.publish(
                TopicArn=topic,
                Subject=subject_line(subject),
                Message=text if verbatim else self.commands.pasted(text),
                MessageAttributes=attributes,
            )
        except (BotoCoreError, ClientError) as error:
            logger().warning("notification not sent", exc_info=error)
            return False
        return True


def subject_line(text: str) -> str:
    """`text` as an SNS subject: printable ASCII on one line, at most 100 characters."""
    clean = " ".join("".join(c if " " <= c <= "~" else " " for c in text).split())
    return clean if len(clean) <= _SUBJECT_LIMIT else clean[: _SUBJECT_LIMIT - 3] + "..."
