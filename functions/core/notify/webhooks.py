"""Messages to Slack and Teams channels, through incoming webhooks. One that fails never fails a heal.

An app's webhooks are in a SecureString of its own, because their addresses are secrets: whoever has one can
write to the channel. One per line, `slack https://...` or `teams https://...`.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import urllib3
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from functions.core.aws.names import entry_of
from functions.core.aws.telemetry import logger
from functions.core.notify import slack
from functions.core.notify.commands import Commands
from functions.core.untrusted import hidden

# A channel that does not answer must not hold up the question. Seconds.
_TIMEOUT = urllib3.Timeout(connect=2, read=4)
# A step must not take longer than one channel's patience, however many there are.
_PARALLEL = 8
# Slack: header 150 characters, text of a section 3,000. Teams: 28 KB for a whole message, of which seven
# values of four bytes a character are 18.
# https://docs.slack.dev/reference/block-kit/blocks/header-block and section-block
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
_HEADLINE, _VALUE = 150, 640


@dataclass(frozen=True, slots=True)
class Post:
    """What a channel is told: plain texts, which are shown as they are, and one link. Facts: name and value.

    Texts may be as strangers wrote them: each becomes one line and is cut to what channels take.
    """

    headline: str
    facts: tuple[tuple[str, str], ...]
    link: str
    link_text: str
    buttons: slack.Buttons | None = None
    """Where Slack's buttons may decide; Teams has none."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to post: `kind` is `slack` or `teams`, `url` is a secret."""

    kind: str
    url: str


class WebhookInvalid(ValueError):
    """A line is no webhook; the message says which line, not what it holds."""


def parse(text: str) -> tuple[Webhook, ...]:
    """The webhooks in a parameter's value. Raises WebhookInvalid."""
    found = []
    for number, line in enumerate(text.strip().splitlines(), 1):
        kind, _, url = line.strip().partition(" ")
        if kind not in _BODIES or not _usable(url.strip()):
            raise WebhookInvalid(f"line {number}: write `slack https://...` or `teams https://...`")
        found.append(Webhook(kind, url.strip()))
    return tuple(found)


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # Plain HTTP for a server on this machine only, as the embedded run and tests have.
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "127.0.0.1")
    return secure and bool(parts.hostname)


class Webhooks:
    """Posts to an app's channels. `provider` is Powertools' SSM provider, injected by tests."""

    def __init__(
        self,
        path: str,
        provider: parameters.SSMProvider | None = None,
        commands: Commands = Commands(),  # noqa: B008 - frozen
    ) -> None:
        self._path = path.rstrip("/")
        self._commands = commands
        self._provider = provider or parameters.SSMProvider()

    def post(self, app: str, message: Post) -> int:
        """To all channels of the app; how many took it. Failures are logged, without addresses."""
        webhooks = self._of(app)
        if not webhooks:
            return 0
        facts = tuple((name, self._commands.pasted(value)) for name, value in message.facts)
        message = replace(message, facts=facts)
        http = urllib3.PoolManager(maxsize=_PARALLEL)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return sum(pool.map(lambda webhook: self._sent(http, webhook, message), webhooks))

    def _of(self, app: str) -> tuple[Webhook, ...]:
        try:
            return parse(
                str(self._provider.get(f"{self._path}/{entry_of(app)}", decrypt=True, force_fetch=True))
            )
        except GetParameterError as error:
            if "ParameterNotFound" not in str(error):
                logger().warning("webhooks not readable", extra={"app": app}, exc_info=error)
        except WebhookInvalid as error:
            logger().warning("webhooks not usable", extra={"app": app, "why": str(error)})
        return ()

    def _sent(self, http: urllib3.PoolManager, webhook: Webhook, message: Post) -> bool:
        try:
            answer = http.request(
                "POST",
                webhook.url,
                # Not `json=`: functions that are zips get the urllib3 of Lambda's runtime, which may be 1.26.
                body=json.dumps(_BODIES[webhook.kind](message)).encode(),
                headers={"Content-Type": "application/json"},
                timeout=_TIMEOUT,
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            # The error's text holds the address, which is a secret.
            logger().warning("webhook failed", extra={"kind": webhook.kind, "why": type(error).__name__})
            return False
        if answer.status >= 300:
            logger().warning("webhook refused", extra={"kind": webhook.kind, "status": answer.status})
        return answer.status < 300


def _slack(message: Post) -> dict[str, Any]:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

    Texts are `plain_text`, in which neither mentions nor links come alive; where Slack wants its markup,
    its three special characters are escaped.
    """
    lines = [
        {"type": "section", "text": {"type": "plain_text", "text": f"{name}: {_line(value, _VALUE)}"}}
        for name, value in message.facts
    ]
    headline = _line(message.headline, _HEADLINE)
    link = {"type": "mrkdwn", "text": f"<{_escaped(message.link)}|{_escaped(message.link_text)}>"}
    return {
        "text": _escaped(headline),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": headline}},
            *lines,
            *([slack.actions(message.buttons)] if message.buttons else []),
            {"type": "section", "text": link},
        ],
    }


def _teams(message: Post) -> dict[str, Any]:
    """https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using

    Texts are runs of a RichTextBlock, in which Adaptive Cards know no Markdown.
    """
    runs = [[{"type": "TextRun", "text": _line(message.headline, _HEADLINE), "weight": "bolder"}]]
    for name, value in message.facts:
        said = {"type": "TextRun", "text": _line(value, _VALUE)}
        runs.append([{"type": "TextRun", "text": f"{name}: ", "weight": "bolder"}, said])
    card = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": inlines} for inlines in runs],
        "actions": [{"type": "Action.OpenUrl", "title": message.link_text, "url": message.link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _line(text: str, limit: int) -> str:
    """`text` on one line, without characters that do not print, cut to `limit`; never empty."""
    clean = " ".join(hidden.without(text, " ").split()) or "-"
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_BODIES = {"slack": _slack, "teams": _teams}
