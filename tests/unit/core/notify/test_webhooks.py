"""Channels: what Slack and Teams are sent, that nothing in it comes alive, and that failures harm nothing."""

from __future__ import annotations

import json
import logging

import boto3
import pytest

from functions.core.notify.webhooks import Post, WebhookInvalid, Webhooks, parse
from tests.fakes.channel import Channel

POST = Post(
    headline="orders: approve a fix? KeyError: '<!channel>' & more",
    facts=(("Seen", "42 times"), ("Cause", "[click](https://attacker.example) <https://attacker.example|x>")),
    link="https://page.example/a/x?t=1.dGVhbQ.abc",
    link_text="Read the evidence and decide",
)


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


@pytest.mark.parametrize(
    "gone",
    ["slack http://127.0.0.1:9/secret-part", "slack https://[", "nonsense", ""],
    ids=["closed port", "no address", "no webhook", "nothing"],
)
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


def test_a_message_stays_within_what_channels_take(webhooks: Webhooks, channel: Channel) -> None:
    """Slack: 150 characters of headline, 3,000 of a section, 50 blocks. Teams: 28 KB, at times 21."""
    facts = tuple((f"Fact {number}", "\U0001f600" * 5_000) for number in range(7))
    assert webhooks.post("orders", Post("x" * 4_000, facts, "https://page.example/", "Open")) == 2
    slack, teams = sorted(channel.posted, key=lambda message: "blocks" not in message)
    assert len(slack["blocks"]) <= 50
    assert len(slack["blocks"][0]["text"]["text"]) == 150
    assert max(len(block["text"]["text"]) for block in slack["blocks"]) <= 3_000
    assert len(json.dumps(teams, ensure_ascii=False).encode()) <= 21_000


def test_what_strangers_wrote_is_one_line_without_hidden_characters(
    webhooks: Webhooks, channel: Channel
) -> None:
    webhooks.post(
        "orders", Post("a\u202eb\nc", (("Cause", "\x1b[31mred\r\nlines\u200b "), ("Why", "")), "l", "t")
    )
    for text in channel.texts:
        assert "a b c" in text
        assert "red lines" in text
        assert "[31m" not in text
        assert not [c for c in ("\u202e", "\\u001b", "\\r", "\\n", "\u200b") if c in text]


@pytest.mark.parametrize(
    "text",
    ["https://hooks.slack.com/x", "discord https://x.example/y", "slack http://hooks.slack.com/x", "slack"],
)
def test_a_line_that_is_no_webhook_is_named_by_number_only(text: str) -> None:
    with pytest.raises(WebhookInvalid, match="line 2") as refused:
        parse(f"slack https://hooks.slack.com/services/a\n{text}")
    assert "hooks" not in str(refused.value)
