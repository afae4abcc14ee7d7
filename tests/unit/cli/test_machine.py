"""`inbox`, and what `start` and `demo` say last: next steps that can be pasted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import fastjsonschema
import pytest

from functions.core.approval.approvals import Approval
from infra.cli import console, demo
from infra.cli.schemas import schema
from infra.local.inbox import Inbox
from infra.local.run import EmbeddedRun
from infra.target import Target
from tests.unit.cli.conftest import Selfheal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


def test_the_inbox_names_what_waits_for_the_end_of_quiet_hours(
    target: Target,
    approvals_table: Table,
    put: Callable[..., str],
    selfheal: Selfheal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.cli.connect.connect", lambda local: target)
    monkeypatch.setattr(Inbox, "__init__", lambda self, target: None)
    monkeypatch.setattr(Inbox, "read", lambda self: [])
    target.outputs["ApprovalsTable"] = approvals_table.name
    for number, tell_at in ((1, 1_800_000_000), (2, 0)):
        name = put(number, status="AWAITING_APPROVAL", approval_id=f"asked-{number}")
        target.approvals.open(
            Approval(
                *(f"asked-{number}", name, "orders", "h1", "arn:h1", 1, 0, "a" * 64, "b" * 40),
                *("patch", "evidence", "proposal", 1_900_000_000),
                tell_at=tell_at,
            )
        )

    ran, document = selfheal("inbox"), selfheal("inbox", "--json").document

    assert "at 2027-01-15T08:00 UTC: KeyError: 1 To decide now: selfheal show orders-v1-00001" in ran.text
    assert "Nothing was sent" not in ran.text and "00002" not in ran.text
    fastjsonschema.compile(schema("inbox/1"))(json.loads(json.dumps(document)))
    assert [one["incident_id"] for one in document["held"]] == ["orders-v1-00001"]
    target.approvals.tell("asked-1")
    assert "Nothing was sent yet" in selfheal("inbox").text


def test_the_command_that_heals_what_was_held_can_be_pasted(
    put: Callable[..., str], selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "program", lambda: "/opt/it/selfheal")
    put(status="SUPPRESSED", reason="healing was stopped")
    assert "To heal now: /opt/it/selfheal retry " in selfheal("start").text


@pytest.mark.parametrize("kept", [True, False])
def test_the_demonstration_ends_with_commands_that_can_be_pasted(
    kept: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "program", lambda: "/opt/it/selfheal")
    demo._say_goodbye(EmbeddedRun("home", "id", {"forge": 1, "aws": 2, "model": 3}), kept=kept)
    said = capsys.readouterr().out
    assert "/opt/it/selfheal crash" in said and " selfheal" not in said
