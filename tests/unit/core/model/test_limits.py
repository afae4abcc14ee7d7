"""What models read, and what they and their servers say when it was too much."""

from __future__ import annotations

import pytest

from functions.core.model.limits import (
    ANSWER_TOKENS,
    SOURCE_TOKENS,
    THINKING_TOKENS,
    refused_as_too_long,
    window_of,
)

SONNET = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("model", "tokens", "answer"),
    [
        (SONNET, 200_000, ANSWER_TOKENS),
        ("eu.anthropic.claude-sonnet-5-5", 1_000_000, THINKING_TOKENS),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", 200_000, 4_096),
        ("us.amazon.nova-lite-v1:0", 300_000, 5_000),
        ("us.amazon.nova-micro-v1:0", 128_000, 5_000),
        ("meta.llama3-8b-instruct-v1:0", 8_000, 2_000),
        ("us.meta.llama3-3-70b-instruct-v1:0", 128_000, 2_048),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", 32_768, ANSWER_TOKENS),
    ],
)
def test_known_models_and_others(model: str, tokens: int, answer: int) -> None:
    window = window_of(model)
    assert (window.tokens, window.answer) == (tokens, answer)
    assert window.source == min(SOURCE_TOKENS, (tokens - answer) // 2)


def test_an_app_says_what_its_model_reads() -> None:
    window = window_of(SONNET, 8_192)
    assert (window.tokens, window.answer, window.room, window.source) == (8_192, 2_048, 6_144, 3_072)
    assert window_of("unknown", 1_000_000).source == SOURCE_TOKENS


def test_an_app_says_how_much_an_answer_may_take_up_to_what_the_model_writes() -> None:
    assert window_of(SONNET, answer=20_000).answer == 20_000
    assert window_of("us.amazon.nova-lite-v1:0", answer=20_000).answer == 5_000
    assert window_of("unknown", answer=2_000).answer == 2_000


def test_an_answer_that_was_cut_off_gets_twice_the_room_as_far_as_there_is_any() -> None:
    assert window_of(SONNET).doubled(10_000) == 2 * ANSWER_TOKENS
    assert window_of(SONNET).doubled(190_000) == 10_000
    assert window_of("us.amazon.nova-lite-v1:0").doubled(10_000) == 5_000


@pytest.mark.parametrize(
    ("message", "reads"),
    [
        ("Input is too long for requested model.", 0),
        ("prompt is too long: 205000 tokens > 200000 maximum", 200_000),
        ("Too many input tokens. Max input tokens: 8000, request input token count: 9000", 8_000),
        ("This model's maximum context length is 16384 tokens. However, you requested 122946 tokens", 16_384),
        (
            '{"error":{"code":400,"message":"the request exceeds the available context size. try increasing '
            'the context size or enable context shift","type":"exceed_context_size_error",'
            '"n_prompt_tokens":14429,"n_ctx":8192}}',
            8_192,
        ),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease", 200_000),
        ("Requested tokens (2285) exceed context window of 2048", 2_048),
        ("The provided model identifier is invalid.", None),
        ("temperature: 2 is greater than the maximum of 1", None),
    ],
)
def test_a_refusal_is_recognised_with_what_it_says_is_read(message: str, reads: int | None) -> None:
    assert refused_as_too_long(message) == reads
