"""What a call costs, by model and by kind of token."""

from __future__ import annotations

import pytest

from functions.core.model.prices import LISTED, Prices, Usage

SONNET = "global.anthropic.claude-sonnet-5-5"
HAIKU = "eu.anthropic.claude-haiku-5-5"
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        (SONNET, Usage(input=MILLION), 2.0),
        (SONNET, Usage(output=MILLION), 10.0),
        (SONNET, Usage(cache_read=MILLION), 0.1),
        (SONNET, Usage(cache_write=MILLION), 2.5),
        (SONNET, Usage(cache_write_hour=MILLION), 4.0),
        ("eu.anthropic.claude-sonnet-5-5", Usage(input=MILLION), 2.2),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-5-5", Usage(MILLION), 2.2),
        ("us.amazon.nova-lite-v1:0", Usage(MILLION, MILLION), 0.30),
        ("some.model-nobody-priced", Usage(output=MILLION), 82.5),
        ("eu.anthropic.claude-sonnet-5-6", Usage(output=MILLION), 82.5),
        (SONNET, Usage(), 0.0),
        # A prompt of more than 100,000 tokens costs five times as much, its answer too.
        (HAIKU, Usage(input=60_000, cache_read=40_000, output=1_000), 1.1 * (6_000 + 400 + 500) / MILLION),
        (HAIKU, Usage(input=60_001, cache_read=40_000, output=1_000), 5.5 * (6_000.1 + 400 + 500) / MILLION),
    ],
)
def test_cost(model: str, usage: Usage, usd: float) -> None:
    assert LISTED.cost_usd(model, usage) == pytest.approx(usd)


def test_an_apps_own_price_wins_also_over_the_list() -> None:
    own = Prices({SONNET: (1.0, 4.0), "arn:mine": (0.2, 0.8)})
    assert own.cost_usd(SONNET, Usage(MILLION, MILLION)) == pytest.approx(5.0)
    assert own.cost_usd("arn:mine", Usage(cache_read=MILLION, output=MILLION)) == pytest.approx(0.82)
    assert own.known("arn:mine")
    assert own.known("us.amazon.nova-pro-v1:0")
    assert not own.known("arn:other")


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4, 5) + Usage(10, 20, 30, 40, 50) == Usage(11, 22, 33, 44, 55)


@pytest.mark.parametrize(
    ("details", "usage"),
    [
        ({}, Usage(7, 5, 3, 9)),
        (
            {"cacheDetails": [{"ttl": "1h", "inputTokens": 6}, {"ttl": "5m", "inputTokens": 3}]},
            Usage(7, 5, 3, 3, 6),
        ),
    ],
)
def test_usage_is_read_as_converse_reports_it(details: dict[str, object], usage: Usage) -> None:
    reported = {"inputTokens": 7, "outputTokens": 5, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 9}
    assert Usage.of({"usage": reported | details}) == usage
    assert Usage.of({}) == Usage()
