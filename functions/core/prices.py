"""What tokens cost, per model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls, as Converse reports them; cached tokens are not among `input`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )


# USD per million tokens, input and output, on demand, as listed at https://aws.amazon.com/bedrock/pricing/
# (read in 2026). The first fragment that a model id contains decides, so longer names come first.
_PRICES = (
    ("claude-opus-4-1", 15.0, 75.0),
    ("claude-opus-4-2025", 15.0, 75.0),
    ("claude-opus-4", 5.0, 25.0),
    ("claude-sonnet-4", 3.0, 15.0),
    ("claude-haiku-4", 1.0, 5.0),
    ("claude-3-7-sonnet", 3.0, 15.0),
    ("claude-3-5-haiku", 0.8, 4.0),
    ("nova-premier", 2.5, 12.5),
    ("nova-pro", 0.8, 3.2),
    ("nova-lite", 0.06, 0.24),
    ("nova-micro", 0.035, 0.14),
)
_DEAREST = (15.0, 75.0)
"""For a model that is not in the table: an unknown price must not slip under a budget."""

# Same page: reading from the prompt cache costs a tenth of input, writing to it a quarter more. From Claude
# 4.5 on, a call that is kept within a region or geography costs a tenth more than a global one; used for all.
_CACHE_READ, _CACHE_WRITE, _REGIONAL = 0.1, 1.25, 1.1


def cost_usd(model: str, usage: Usage) -> float:
    """What these tokens cost, in USD. `model`: a Bedrock model or inference profile id or ARN."""
    price_in, price_out = next(((i, o) for name, i, o in _PRICES if name in model), _DEAREST)
    premium = 1.0 if "global." in model else _REGIONAL
    weighted = usage.input + usage.cache_read * _CACHE_READ + usage.cache_write * _CACHE_WRITE
    return premium * (weighted * price_in + usage.output * price_out) / 1_000_000
