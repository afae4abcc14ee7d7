"""What a call costs, by model and by kind of token."""

from __future__ import annotations

import pytest

from functions.core.app import DEFAULT_MODEL
from functions.core.prices import Usage, cost_usd


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        (DEFAULT_MODEL, Usage(input=1_000_000), 3.0),
        (DEFAULT_MODEL, Usage(output=1_000_000), 15.0),
        (DEFAULT_MODEL, Usage(cache_read=1_000_000), 0.3),
        (DEFAULT_MODEL, Usage(cache_write=1_000_000), 3.75),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Usage(input=1_000_000), 3.3),
        ("global.anthropic.claude-opus-4-1-20250805-v1:0", Usage(output=1_000_000), 75.0),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", Usage(output=1_000_000), 25.0),
        ("us.amazon.nova-lite-v1:0", Usage(1_000_000, 1_000_000), 0.33),
        ("some.model-nobody-priced", Usage(output=1_000_000), 82.5),
        (DEFAULT_MODEL, Usage(), 0.0),
    ],
)
def test_cost(model: str, usage: Usage, usd: float) -> None:
    assert cost_usd(model, usage) == pytest.approx(usd)


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)
