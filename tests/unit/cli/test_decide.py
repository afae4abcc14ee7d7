"""`selfheal approve`, `reject` and `revise`: what is refused, and what those who wait are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

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
