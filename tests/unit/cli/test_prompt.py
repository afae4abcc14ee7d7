"""`prompt`: what was sent, word for word, with the tokens of each part and what was sent later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import typer
from typer.testing import CliRunner, Result

from infra.cli import prompt as command
from infra.errors import UserError
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SENT: dict[str, Any] = {
    "system": "The rules.",
    "tools": [{"toolSpec": {"name": "propose_patch", "inputSchema": {"json": {"type": "object"}}}}],
    "user": "<incident-1>\nKeyError: 'NZ' [bold]not markup\x1b[31m\n</incident-1>",
    "tokens": 1500,
    "parts": [{"part": "system", "tokens": 1000}, {"part": "source a.py 1-9 where it failed", "tokens": 500}],
    "model": "selfheal-rules",
    "inference": {"maxTokens": 8192},
    "counted_tokens": 1234,
}
LATER = [
    {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "lines of b.py"}]}}]},
    {"role": "user", "content": [{"text": "Your answer was not accepted: prose."}]},
]


@pytest.fixture
def target(incidents_table: Table, monkeypatch: pytest.MonkeyPatch) -> Target:
    boto3.client("s3").create_bucket(Bucket="artifacts")
    outputs = {"IncidentsTable": incidents_table.name, "ArtifactsBucket": "artifacts"}
    target = Target(boto3.Session(), outputs, local=True)
    monkeypatch.setattr(command, "connect", lambda local: target)
    for name, arn, attempts in (
        ("orders-1", "arn:aws:states:x:1:execution:self-heal:h1", 2),
        ("orders-2", "", 0),
    ):
        item = {
            "incident_id": name,
            "fingerprint": name,
            "app": "orders",
            "status": "HEALING",
            "last_seen": "1",
        }
        item |= {"error_type": "KeyError", "title": "KeyError: 'NZ'", "execution_arn": arn}
        incidents_table.put_item(Item={**item, "attempts": attempts})
    target.artifacts.put_json("orders-1/h1/1/prompt.json", SENT | {"user": "the first prompt"})
    target.artifacts.put_json("orders-1/h1/2/prompt.json", SENT)
    target.artifacts.put_json("orders-1/h1/2/answer.json", {"conversations": [{"sent": LATER}]})
    return target


def run(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command.prompt)
    return CliRunner().invoke(app, list(arguments))


def test_programs_get_exactly_what_was_sent(target: Target) -> None:
    document = json.loads(run("orders-1", "--json").stdout)
    assert document == {"schema": "prompt/1", "attempt": 2, **SENT, "sent_later": LATER}


def test_an_earlier_attempt_can_be_asked_for(target: Target) -> None:
    document = json.loads(run("orders-1", "--attempt", "1", "--json").stdout)
    assert (document["attempt"], document["user"], document["sent_later"]) == (1, "the first prompt", [])


def test_people_see_the_words_and_the_tokens_of_each_part(target: Target) -> None:
    shown = run("orders-1").stdout
    for text in (
        "attempt 2, selfheal-rules, about 1,500 tokens, 1,234 as the provider counts",
        "1,000",
        "source a.py 1-9 where it failed",
        "The rules.",
        '"name": "propose_patch"',
        "KeyError: 'NZ' [bold]not markup",
        "lines of b.py",
        "Your answer was not accepted: prose.",
    ):
        assert text in shown
    assert "\x1b[31m" not in shown


@pytest.mark.parametrize("arguments", [("orders-2",), ("orders-1", "--attempt", "3")])
def test_where_nothing_was_sent_it_says_so(target: Target, arguments: tuple[str, ...]) -> None:
    error = run(*arguments).exception
    assert isinstance(error, UserError)
    assert "nothing was sent to a model" in error.what
    assert "selfheal history orders" in error.next_step
