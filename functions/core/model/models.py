"""What is known of each model that Bedrock has: prices, window, and what it takes. The facts are
`models.toml`'s."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FACTS = Path(__file__).with_name("models.toml")

# An id is [geography.]maker.name[-date][-version[:revision[:context]]], alone or at the end of an ARN.
# Source: "Supported foundation models" and "Supported inference profiles" in the Bedrock user guide.
_ID = re.compile(
    r"(?:arn:aws[a-z-]*:bedrock:.*/)?"
    r"(?:(?P<geography>global|us-gov|us|eu|apac|jp|au|in|ca|il|sa|me|af)\.)?"
    r"(?P<name>[a-z0-9]+\.[a-z0-9.-]+?)(?:-\d{8})?(?:-v\d+(?::\d+)?(?::\d+k?)?)?"
)
GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens of a call that stays in a region or geography times `regional`."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_hour: float
    regional: float = 1.0
    long_from: int = 0
    """A prompt of more tokens costs `long_factor` times as much, answer included; 0: all cost the same."""
    long_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `window` and `output` in tokens; for the others see the head of `models.toml`."""

    name: str
    price: Price
    window: int
    output: int
    effort: tuple[str, ...] = ()
    thinks: bool = False
    sampling: bool = True
    cache: bool = False
    hour: bool = False
    strict: bool = False
    status: bool = False
    counts: bool = False
    tools: bool = True


def model_of(model_id: str) -> Model | None:
    """What is known of a foundation model or inference profile, by id or ARN; None when nothing is.

    An application inference profile says nothing of what is behind it.
    """
    match = _ID.fullmatch(model_id)
    return _known().get(match["name"]) if match else None


def geography_of(model_id: str) -> str:
    """The geography of an inference profile's id, such as `eu` or `global`; "" for a model of one region."""
    match = _ID.fullmatch(model_id)
    return (match["geography"] or "") if match else ""


def foundation_model(model_id: str) -> str:
    """The foundation model's id behind a profile of a geography: what CountTokens and the catalog take."""
    geography, name = geography_of(model_id), model_id.rpartition("/")[2]
    return name.removeprefix(f"{geography}.") if geography else model_id


def default_model(region: str) -> str:
    """The default of a region: through its geography's profile, so that code does not leave it.

    "" where no profile is known, or no region is set: then an app must name its model.
    """
    facts = _facts()
    for geography, regions in facts["geographies"].items():
        if region in regions:
            return f"{geography}.{facts['default']}"
    return ""


def ids() -> list[str]:
    """Of all that is known: foundation models, and the profiles that the geographies may have of them."""
    return [*_known(), *(f"{geography}.{name}" for geography in _facts()["geographies"] for name in _known())]


@cache
def _facts() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(_FACTS.read_text())


@cache
def _known() -> dict[str, Model]:
    return {name: _model(name, dict(row)) for name, row in _facts()["models"].items()}


def _model(name: str, row: dict[str, Any]) -> Model:
    paid_in, paid_out = row.pop("price")
    caches = row.pop("cache", None)
    read, write, *hour = caches or (paid_in, paid_in)
    long_from, long_factor = row.pop("long", (0, 1.0))
    price = Price(
        input=paid_in,
        output=paid_out,
        cache_read=read,
        cache_write=write,
        cache_write_hour=hour[0] if hour else write,
        regional=row.pop("regional", 1.0),
        long_from=long_from,
        long_factor=long_factor,
    )
    effort = tuple(row.pop("effort", ()))
    return Model(name, price, effort=effort, cache=caches is not None, **row)
