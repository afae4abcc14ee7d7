"""`selfheal reject`: a reason that does not exist."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
