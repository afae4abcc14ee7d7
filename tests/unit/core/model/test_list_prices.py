"""Every text model of Claude, Nova, Llama and Mistral that the CDK knows has a price, within 1% of the
list."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from genai_prices import Usage as Tokens
from genai_prices import calc_price

from functions.core.model.models import _facts as facts
from functions.core.model.models import default_model, geography_of, model_of
from functions.core.model.prices import LISTED, Usage

# What gives images, video or speech, or numbers, and no text: it is not asked here and paid for by other
# units.
NO_TEXT = re.compile(r"nova-(?:canvas|reel|sonic|2-sonic|2-multimodal-embeddings)")

# What the library does not list: its rows as AWS's own page had them, in USD per million tokens in and out.
UNLISTED = {
    "anthropic.claude-v1": (8.0, 24.0),
    "anthropic.claude-v2": (8.0, 24.0),
    "anthropic.claude-instant": (0.8, 2.4),
    "anthropic.claude-mythos-5": (11.0, 55.0),
    "meta.llama2-13b": (0.75, 1.0),
    "meta.llama2-70b": (1.95, 2.56),
    "meta.llama3-1-405b": (2.4, 2.4),
    "mistral.mistral-large-2407": (2.0, 6.0),
}


def ids() -> list[str]:
    """The model ids in the installed aws-cdk-lib, as its documentation writes them."""
    text = resources.files("aws_cdk.aws_bedrock").joinpath("__init__.py").read_text()
    found = set(re.findall(r"\b((?:anthropic|amazon|meta|mistral)\.[a-z0-9\-]+[a-z0-9.\-:]*[a-z0-9])", text))
    named = (name for name in found if re.search(r"claude|nova|llama|mi[sx]tral", name))
    return sorted(name for name in named if not NO_TEXT.search(name))


IDS = ids()
MILLION = 1_000_000
KINDS = {
    "input": (Usage(input=1_000), Tokens(input_tokens=1_000)),
    "output": (Usage(output=1_000), Tokens(output_tokens=1_000)),
    "cache read": (Usage(cache_read=1_000), Tokens(input_tokens=1_000, cache_read_tokens=1_000)),
    "cache write": (Usage(cache_write=1_000), Tokens(input_tokens=1_000, cache_write_tokens=1_000)),
    "long": (Usage(input=200_000), Tokens(input_tokens=200_000)),
}


def listed(model: str, tokens: Tokens) -> float | None:
    try:
        return float(calc_price(tokens, model_ref=model, provider_id="aws").total_price)
    except LookupError:
        return None


def test_the_cdk_knows_many_models() -> None:
    assert len(IDS) > 50
    assert {name.partition(".")[0] for name in IDS} == {"anthropic", "amazon", "meta", "mistral"}


@pytest.mark.parametrize("geography", ["", "us.", "global."])
@pytest.mark.parametrize("name", IDS)
def test_a_price_is_the_lists(name: str, geography: str) -> None:
    known = model_of(name)
    assert known is not None, "a model without a price counts as the dearest, and budgets refuse heals"
    if listed(name, KINDS["input"][1]) is None:
        prices = next(pair for start, pair in UNLISTED.items() if name.startswith(start))
        paid = [LISTED.cost_usd(name, usage) for usage in (Usage(MILLION), Usage(output=MILLION))]
        assert paid == pytest.approx(prices, rel=0.01)
        return
    for kind, (usage, tokens) in KINDS.items():
        there = listed(geography + name, tokens)
        if there is None or (kind.startswith("cache") and not known.cache):
            continue  # it has no such profile, or no cache
        assert LISTED.cost_usd(geography + name, usage) == pytest.approx(there, rel=0.01), kind


def test_the_default_model_is_listed_in_every_geography_and_stays_in_it() -> None:
    for geography, regions in facts()["geographies"].items():
        for region in regions:
            model = default_model(region)
            assert geography_of(model) == geography != "global"
            assert listed(model, KINDS["input"][1]) is not None
    for elsewhere in ("", "sa-east-1", "ca-central-1", "moon-1"):
        assert default_model(elsewhere) == ""


def test_windows_are_the_lists() -> None:
    for name in IDS:
        known = model_of(name)
        try:
            window = calc_price(KINDS["input"][1], model_ref=name, provider_id="aws").model.context_window
        except LookupError:
            continue
        assert known is not None
        # 8,192 is listed as 8,000 by AWS.
        assert window is None or known.window == pytest.approx(window, rel=0.03), name
