"""What tokens cost, per model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.core.model.models import GLOBAL, Price, geography_of, model_of


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls, as Converse reports them; cached tokens are not among `input`.

    cache_write: kept for five minutes; cache_write_hour: for an hour.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_hour: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.cache_write_hour + other.cache_write_hour,
        )

    @property
    def prompt(self) -> int:
        """All that was read, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_hour

    @classmethod
    def of(cls, response: dict[str, Any]) -> Usage:
        """The usage of a Converse response."""
        usage = response.get("usage") or {}
        written = _tokens(usage, "cacheWriteInputTokens")
        details = usage.get("cacheDetails") or []
        hour = sum(_tokens(row, "inputTokens") for row in details if row.get("ttl") == "1h")
        return cls(
            input=_tokens(usage, "inputTokens"),
            output=_tokens(usage, "outputTokens"),
            cache_read=_tokens(usage, "cacheReadInputTokens"),
            cache_write=max(written - hour, 0),
            cache_write_hour=min(hour, written),
        )


def _tokens(usage: Mapping[str, Any], name: str) -> int:
    """Never less than none: it would be paid back to the budget."""
    return max(int(usage.get(name) or 0), 0)


_DEAREST = Price(15.0, 75.0, 1.5, 18.75, 30.0, regional=1.1)
"""For a model whose price nobody has said: an unknown price must not slip under a budget."""

# An app's own price is of the call as it makes it. Its cache costs what it costs with most makers.
_CACHE_READ, _CACHE_WRITE, _CACHE_WRITE_HOUR = 0.1, 1.25, 2.0


@dataclass(frozen=True, slots=True)
class Prices:
    """What calls cost. own: an app's prices, model id → USD per million tokens in and out; they win."""

    own: Mapping[str, tuple[float, float]]

    def known(self, model: str) -> bool:
        return model in self.own or model_of(model) is not None

    def cost_usd(self, model: str, usage: Usage) -> float:
        """What one call's tokens cost, in USD. `model`: a model or inference profile id or ARN."""
        price = self._of(model)
        factor = 1.0 if geography_of(model) == GLOBAL else price.regional
        if price.long_from and usage.prompt > price.long_from:
            factor *= price.long_factor
        paid = (
            usage.input * price.input
            + usage.output * price.output
            + usage.cache_read * price.cache_read
            + usage.cache_write * price.cache_write
            + usage.cache_write_hour * price.cache_write_hour
        )
        return factor * paid / 1_000_000

    def _of(self, model: str) -> Price:
        if model in self.own:
            paid_in, paid_out = self.own[model]
            return Price(
                paid_in,
                paid_out,
                paid_in * _CACHE_READ,
                paid_in * _CACHE_WRITE,
                paid_in * _CACHE_WRITE_HOUR,
            )
        known = model_of(model)
        return known.price if known else _DEAREST


LISTED = Prices({})
"""List prices alone."""
