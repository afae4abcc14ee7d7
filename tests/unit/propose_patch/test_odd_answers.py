"""Answers of no known shape are judged as answers, and what they claim to have used is never paid back."""

from __future__ import annotations

from typing import Any

import pytest

from functions.core.model.adapted import Adapted
from functions.core.model.budget import Budgets
from functions.core.model.chat import Chat
from functions.core.model.exchange import Exchange
from functions.core.model.journal import Journal
from functions.core.model.limits import window_of
from functions.core.model.prices import Usage
from functions.core.workflow.errors import ModelUnavailable
from functions.propose_patch.ask import ModelAnswer, ask, request_for
from functions.propose_patch.prompt import Prompt
from functions.propose_patch.repository import SourceTree
from functions.propose_patch.retrieval import RetrievalTools
from tests.fakes.script import Script

MODEL = "us.anthropic.claude-sonnet-5-5"
REQUEST = request_for(MODEL, Prompt("", ()))


def answer(response: dict[str, Any]) -> ModelAnswer:
    talk = Journal().open(MODEL, lambda: REQUEST)
    window = window_of(MODEL, 0, 0)
    exchange = Exchange(Adapted(Script(*[response] * 9)), Budgets(), talk, window)
    return ask(exchange, REQUEST, window, RetrievalTools(SourceTree([]), "n"))


@pytest.mark.parametrize(
    "block",
    [
        {"toolUse": None},
        {"toolUse": {"toolUseId": "t", "name": ["a"], "input": {}}},
        {"toolUse": {"name": "read_file", "input": {"path": "a", "first": 1, "last": 2}}},
        {"reasoningContent": None},
        {"text": None},
    ],
)
def test_a_block_of_another_shape_is_an_answer_of_the_wrong_form(block: dict[str, Any]) -> None:
    response = {"stopReason": "tool_use", "output": {"message": {"role": "assistant", "content": [block]}}}
    found = answer(response)
    assert found.result is None
    assert found.violations


def test_no_output_is_an_answer_of_the_wrong_form() -> None:
    assert answer({"stopReason": "end_turn", "output": None}).violations


def test_usage_below_none_is_none() -> None:
    assert (
        Usage.of({"usage": {"inputTokens": -5, "outputTokens": -9, "cacheReadInputTokens": None}}) == Usage()
    )


def completion(arguments: str, **more: Any) -> dict[str, Any]:
    call = {"id": "1", "function": {"name": "abstain", "arguments": arguments}}
    return {"choices": [{"finish_reason": "tool_calls", "message": {"tool_calls": [call]}}], **more}


def test_arguments_that_nest_too_deep_are_no_object() -> None:
    deep = "[" * 100_000
    response = Chat(lambda _: completion(deep)).converse(REQUEST)
    assert response["output"]["message"]["content"][0]["toolUse"]["input"] == deep


def test_a_usage_without_end_is_no_completion() -> None:
    with pytest.raises(ModelUnavailable):
        Chat(lambda _: completion("{}", usage={"prompt_tokens": float("inf")})).converse(REQUEST)
