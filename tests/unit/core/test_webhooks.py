"""Channels: what Slack and Teams are sent, that nothing in it comes alive, and that failures harm nothing."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider

from functions.core.webhooks import Post, WebhookInvalid, Webhooks, parse

POST = Post(
    headline="orders: approve a fix? KeyError: '<!channel>' & more",
    facts=(("Seen", "42 times"), ("Cause", "[click](https://attacker.example) <https://attacker.example|x>")),
    link="https://page.example/a/x?t=1.dGVhbQ.abc",
    link_text="Read the evidence and decide",
)


@dataclass
class Channel:
    """A server that takes what is posted; `status` is what it answers."""

    url: str = ""
    status: int = 200
    posted: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def channel() -> Iterator[Channel]:
    state = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(state.status)
            self.send_header("Location", f"{state.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/services/secret-part"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def webhooks(aws: None) -> Webhooks:
    return Webhooks("/self-heal/webhooks", SSMProvider())


def stored(value: str) -> None:
    boto3.client("ssm").put_parameter(
        Name="/self-heal/webhooks/orders", Value=value, Type="SecureString", Overwrite=True
    )


def test_slack_gets_plain_text_and_one_link(webhooks: Webhooks, channel: Channel) -> None:
    stored(f"slack {channel.url}")
    assert webhooks.post("orders", POST) == 1
    (body,) = channel.posted
    assert body["text"] == "orders: approve a fix? KeyError: '&lt;!channel&gt;' &amp; more"
    header, *facts, link = body["blocks"]
    assert {header["text"]["type"], *(fact["text"]["type"] for fact in facts)} == {"plain_text"}
    assert facts[0]["text"]["text"] == "Seen: 42 times"
    assert link["text"]["text"] == f"<{POST.link}|{POST.link_text}>"


def test_teams_gets_a_card_without_markdown_and_one_button(webhooks: Webhooks, channel: Channel) -> None:
    stored(f"teams {channel.url}")
    assert webhooks.post("orders", POST) == 1
    card = channel.posted[0]["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert card["body"][1]["inlines"][1]["text"] == "42 times"
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": POST.link_text, "url": POST.link}]


@pytest.mark.parametrize("status", [302, 403, 404, 429, 500])
def test_a_channel_that_refuses_is_said_without_its_address(
    webhooks: Webhooks, channel: Channel, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    stored(f"slack {channel.url}")
    channel.status = status
    with caplog.at_level(logging.WARNING):
        assert webhooks.post("orders", POST) == 0
    assert len(channel.posted) == 1, "neither followed nor repeated"
    assert "secret-part" not in caplog.text


@pytest.mark.parametrize("gone", ["slack http://127.0.0.1:9/secret-part", "slack https://[", "nonsense", ""])
def test_what_cannot_be_reached_or_read_does_not_keep_the_others_waiting(
    webhooks: Webhooks, channel: Channel, gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    usable = gone.startswith("slack http:")
    stored(f"{gone}\nteams {channel.url}" if usable else gone or " ")
    with caplog.at_level(logging.WARNING):
        assert webhooks.post("orders", POST) == usable
    assert "secret-part" not in caplog.text


def test_an_app_without_channels_posts_nowhere(webhooks: Webhooks) -> None:
    assert webhooks.post("billing", POST) == 0


@pytest.mark.parametrize(
    "text",
    ["https://hooks.slack.com/x", "discord https://x.example/y", "slack http://hooks.slack.com/x", "slack"],
)
def test_a_line_that_is_no_webhook_is_named_by_number_only(text: str) -> None:
    with pytest.raises(WebhookInvalid, match="line 2") as refused:
        parse(f"slack https://hooks.slack.com/services/a\n{text}")
    assert "hooks" not in str(refused.value)
