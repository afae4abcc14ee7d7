"""What is sent fits into what a model reads: the least relevant is left out first, and said to be."""

from __future__ import annotations

from typing import Any

import pytest

from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.model.adapted import Adapted
from functions.core.model.journal import Journal
from functions.core.model.limits import Window, window_of
from functions.core.model.requests import request_tokens
from functions.core.source.archive import Member
from functions.core.workflow.errors import PromptTooLong
from functions.propose_patch.ask import request_for
from functions.propose_patch.fit import PromptParts, ask_fitting, fit
from functions.propose_patch.prompt import EarlierAttempt, Prompt
from functions.propose_patch.repository import SourceTree
from tests.fakes.purse import Purse

MODEL = "some-model"


def function(name: str, lines: int, call: str = "") -> str:
    body = "".join(f"    value_{n} = total + {n} * rate - discount\n" for n in range(lines))
    return f"def {name}(total, rate, discount):\n{body}    return {call or 'total'}\n\n\n"


FILES = {
    "shop/cart.py": "from shop.rates import rate\n\n\n" + function("checkout", 40, "rate(total, rate, 1)"),
    "shop/rates.py": "from shop.tax import vat\n\n\n" + function("rate", 30, "vat(total, rate, discount)"),
    "shop/tax.py": function("vat", 50),
    "tests/test_rates.py": "from shop.rates import rate\n\n\ndef test_rate():\n    assert rate(1, 2, 3)\n",
    "CONTRIBUTING.md": "Keep it simple.\n" * 40,
}
FRAMES = (
    Frame("/var/task/shop/cart.py", 45, "checkout", "return rate(total, rate, 1)", in_app=True),
    Frame("/var/task/shop/rates.py", 35, "rate", "return vat(total, rate, discount)", in_app=True),
)
INCIDENT = Incident(
    incident_id="shop-1",
    fingerprint="1",
    app="shop",
    status=Status.HEALING,
    error_type="KeyError",
    title="KeyError: 'x'",
    sample="Traceback (most recent call last):\n" + "  context line\n" * 2_000 + "KeyError: 'x'\n",
    frames=FRAMES,
)
ABSTAINS = {
    "toolUse": {
        "toolUseId": "1",
        "name": "abstain",
        "input": {"class": "data", "reason": "r", "files_looked_at": [], "next_action": "n"},
    }
}


def draft(**changes: Any) -> PromptParts:
    repository = SourceTree([Member(path, text.encode()) for path, text in FILES.items()])
    return PromptParts("heal", INCIDENT, repository, {"/var/task": ""}, **changes)


def make(prompt: Prompt, window: Window) -> dict[str, Any]:
    return request_for(MODEL, prompt, answer_tokens=window.answer)


class Reader:
    """A model that reads so many tokens, each of `factor` times what is estimated, and refuses any more."""

    def __init__(
        self, reads: int = 10**9, *, factor: float = 1.0, counts: bool = True, stops: bool = False
    ) -> None:
        self.reads, self.factor, self.counts, self.stops = reads, factor, counts, stops
        self.counted = 0
        self.sent: list[dict[str, Any]] = []

    def count(self, request: dict[str, Any]) -> int | None:
        self.counted += 1
        return int(request_tokens(request) * self.factor) if self.counts else None

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        self.sent.append(request)
        size = request_tokens(request) * self.factor + request["inferenceConfig"]["maxTokens"]
        if size > self.reads and not self.stops:
            raise PromptTooLong("too long", reads=self.reads)
        stop = "model_context_window_exceeded" if size > self.reads else "tool_use"
        content = [] if size > self.reads else [ABSTAINS]
        usage = {"inputTokens": 1000, "outputTokens": 10}
        return {"output": {"message": {"content": content}}, "stopReason": stop, "usage": usage}


def asked(model: Reader, window: Window, **changes: Any) -> Journal:
    """The journal of an answer."""
    journal = Journal()
    adapted = Adapted(model)
    answer = ask_fitting(
        draft(**changes), adapted, Purse(), window, make, lambda fitted: None, journal, MODEL
    )
    assert answer.result is not None
    return journal


def test_where_there_is_room_all_of_the_context_is_sent() -> None:
    model = Reader()
    fitted = fit(draft(), model, window_of(MODEL), make)
    assert {part.path for part in fitted.context.parts} == set(FILES)
    assert not any("/rates.py" in line for line in fitted.context.left_out)
    assert model.counted == 1


@pytest.mark.parametrize("tokens", [7_000, 8_192, 12_000, 16_000, 32_768, 200_000])
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.4])
def test_what_is_sent_is_never_more_than_is_read(tokens: int, factor: float) -> None:
    window = window_of(MODEL, tokens)
    model = Reader(tokens, factor=factor)
    fitted = fit(draft(), model, window, make)
    assert fitted.tokens <= window.room
    assert model.counted <= 4
    first = fitted.context.parts[0]
    assert (first.path, first.function) == ("shop/rates.py", "rate")
    for line in fitted.context.left_out:
        assert line in fitted.prompt.text or "and " in fitted.prompt.text
    asked(Reader(tokens, factor=factor), window)


def test_a_provider_that_counts_more_is_believed_and_the_least_relevant_goes_first() -> None:
    window = Window(200_000, 8_000)
    plain = fit(draft(), Reader(), window, make)
    source = sum(part.tokens for part in plain.context.parts)
    dense = fit(draft(), Reader(factor=1.02 * window.source / source), window, make)
    dropped = plain.context.parts[len(dense.context.parts) :]
    assert dense.context.parts == plain.context.parts[: len(dense.context.parts)]
    assert [part.path for part in dropped] == ["CONTRIBUTING.md"]
    assert dense.context.left_out[-1].startswith(
        "CONTRIBUTING.md lines 1-40 (the repository's own rules): about"
    )
    # However much a provider counts, what the frames point to stays while the model can read it.
    denser = fit(draft(), Reader(factor=10), window, make)
    assert {"checkout", "rate"} <= {part.function for part in denser.context.parts}


def test_a_small_window_leaves_room_for_the_source_beside_a_long_log_and_earlier_attempts() -> None:
    earlier = [EarlierAttempt(n, {"edits": ["x" * 9_000]}, ("honest: it hides the error",)) for n in (1, 2)]
    fitted = fit(draft(attempts=earlier), Reader(), window_of(MODEL, 8_192), make)
    assert "rate" in {part.function for part in fitted.context.parts}
    assert "honest: it hides the error" in fitted.prompt.text


def test_a_window_that_holds_nothing_of_use_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(PromptTooLong, match="'context_window'"):
        fit(draft(), Reader(), window_of(MODEL, 3_000), make)


@pytest.mark.parametrize("stops", [False, True], ids=["refused", "ran out while answering"])
@pytest.mark.parametrize("counts", [False, True])
def test_a_model_that_reads_less_than_was_thought_is_asked_once_more_with_less(
    stops: bool, counts: bool
) -> None:
    model = Reader(9_000, counts=counts, stops=stops)
    journal = asked(model, window_of(MODEL))
    first, second = model.sent
    assert request_tokens(second) < request_tokens(first)
    assert second["inferenceConfig"]["maxTokens"] < first["inferenceConfig"]["maxTokens"]
    assert journal.usage.input == (2000 if stops else 1000)


def test_what_says_what_failed_is_tried_though_it_is_more_than_half_of_what_was_refused() -> None:
    """A model whose tokens are shorter than estimated: the whole is too long, the least is not."""
    model = Reader(4_200, factor=1.15, counts=False)
    asked(model, Window(4_200, 300))
    first, second = map(request_tokens, model.sent)
    assert first // 2 < second < first


def test_and_not_a_third_time() -> None:
    for stops in (False, True):
        model = Reader(3_000, stops=stops)
        with pytest.raises(PromptTooLong):
            asked(model, window_of(MODEL))
        assert len(model.sent) <= 2
