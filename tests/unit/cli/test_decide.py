"""`selfheal approve`, `reject` and `revise`: what is refused, and what those who wait are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from functions.core.approval.approvals import Approval
from functions.core.approval.decisions import Answer, Standing
from infra.target import Target
from tests.unit.cli.conftest import Selfheal


@pytest.mark.parametrize(
    ("reason", "next_step"), [("to_risky", "did you mean too_risky?"), ("xyz", "choose one of: wrong_cause,")]
)
def test_a_reason_that_does_not_exist_is_answered_with_those_that_do(
    put: Callable[..., str], selfheal: Selfheal, reason: str, next_step: str
) -> None:
    asked = selfheal("reject", put(), "--reason", reason, "--yes")
    assert asked.exit_code == 2
    assert f"no reason '{reason}'" in asked.text
    assert next_step in asked.text


def test_a_reason_that_says_nothing_needs_a_comment(put: Callable[..., str], selfheal: Selfheal) -> None:
    ran = selfheal("reject", put(), "--reason", "other", "--yes")
    assert (ran.exit_code, "--comment" in ran.text) == (2, True), ran.text


@pytest.mark.parametrize(
    ("command", "standing", "exit_code", "said"),
    [
        (("approve",), "", 1, "asks again: nothing was committed, because the branch has changed"),
        (("revise", "--comment", "x"), "", 0, "It asks again: selfheal show orders-v1-00001"),
        (("revise", "--comment", "x"), "all were turned down", 0, "nothing better could be proven"),
    ],
)
def test_whoever_waits_is_told_what_is_asked_again_and_why(
    command: tuple[str, ...],
    standing: str,
    exit_code: int,
    said: str,
    put: Callable[..., str],
    selfheal: Selfheal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(status="AWAITING_APPROVAL", approval_id="first")
    questions = SimpleNamespace(get=lambda approval_id: SimpleNamespace(standing=standing))

    def again(_target: Target, asked: Any, _settled: Any, *, quiet: bool) -> Any:
        return replace(asked, approval_id="second")

    monkeypatch.setattr(Target, "approvals", questions, raising=False)
    monkeypatch.setattr("infra.cli.decide.following", again)
    monkeypatch.setattr("infra.cli.decide.decide", lambda *_: Answer(Standing.ACCEPTED, None))
    ran = selfheal(command[0], "orders-v1-00001", *command[1:], "--yes", "--wait")
    assert (ran.exit_code, said in ran.text) == (exit_code, True), ran.text


def test_who_is_not_asked_is_told_who_is_and_how_others_are(
    put: Callable[..., str], selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put(status="AWAITING_APPROVAL", approval_id="ap", patch_sha256="p")
    asked = Approval(
        *("ap", name, "orders", "h", "arn", 1, 0, "p", "b", "patch", "evidence", "proposal"),
        expires_at=1_800_000_000,
        approvers=("ana@example.com",),
    )
    monkeypatch.setattr("infra.cli.decide.decide", lambda *_: Answer(Standing.NOT_ALLOWED, asked))
    ran = selfheal("approve", name, "--yes")
    assert ran.exit_code == 1
    for said in (
        "this question went to ana@example.com, and you are none of them",
        f"selfheal revise {name} --comment",
        f"lapsed at 2027-01-15T08:00 UTC, another heal asks whom the entry names then: selfheal retry {name}",
    ):
        assert said in ran.text
