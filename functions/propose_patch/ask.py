"""Asks a model through Converse, lets it look further, and asks once more for an answer of the right form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from functions.core.model.conversation import content_of, repair, sendable
from functions.core.model.exchange import Exchange
from functions.core.model.limits import ANSWER_TOKENS, Window
from functions.core.model.requests import DEFAULTS, RequestOptions, request_of, request_tokens
from functions.core.workflow.proposal import ABSTAIN_TOOL, PROPOSE_TOOL, Abstention, Proposal
from functions.propose_patch.answer import SCHEMAS, judge
from functions.propose_patch.prompt import Prompt
from functions.propose_patch.retrieval import MOST_TURNS, TOOLS, RetrievalTools

_REPAIRS = 1
_NO_ROOM = "Not shown: you could not read more than you have. You cannot look further: answer now."

_DESCRIPTIONS = {
    PROPOSE_TOOL: "Propose a patch that mends the cause of the error, with a test that reproduces it.",
    ABSTAIN_TOOL: "Decline, because the cause is not in this code or what is shown does not suffice.",
}


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A valid answer, or None and the violations of the last turn. too_long: the model had no room left to
    answer in; cut_off: nor had its answer, though it had all that the model gives."""

    result: Proposal | Abstention | None
    violations: tuple[str, ...]
    too_long: bool = False
    cut_off: bool = False


def request_for(
    model: str, prompt: Prompt, options: RequestOptions = DEFAULTS, answer_tokens: int = ANSWER_TOKENS
) -> dict[str, Any]:
    """The Converse request of the first turn. answer_tokens: the most that an answer may take."""
    offered = {name: (_DESCRIPTIONS[name], schema) for name, schema in SCHEMAS.items()} | TOOLS
    return request_of(model, prompt.system, prompt.halves, offered, options, answer_tokens)


def ask(
    exchange: Exchange,
    request: dict[str, Any],
    window: Window,
    looks: RetrievalTools | None = None,
    counted: int | None = None,
) -> ModelAnswer:
    """Ask; serve what the model looks up, in a bounded number of turns; one repair turn.

    request: the first; counted: its input tokens, where the provider has counted them. Raises what
    `Exchange.answered` does.
    """
    looked = repaired = 0
    while True:
        response = exchange.answered(request, counted)
        counted = None
        calls = _lookups(response) if looks else []
        if looks and calls and looked < MOST_TURNS:
            looked += 1
            last = "" if looked < MOST_TURNS else " You cannot look further: answer now."
            results = [(call, looks.serve(call["name"], call.get("input")) + last) for call in calls]
            longer = {**request, "messages": _served(request["messages"], response, results)}
            if request_tokens(longer) > window.room:
                results = [(call, _NO_ROOM) for call in calls]
                longer = {**request, "messages": _served(request["messages"], response, results)}
                looked = MOST_TURNS
            request = longer
            continue
        verdict = judge(response)
        if verdict.answer or not verdict.worth_repairing or repaired == _REPAIRS:
            return ModelAnswer(verdict.answer, verdict.violations, verdict.too_long, verdict.cut_off)
        repaired += 1
        request = {
            **request,
            "messages": repair(request["modelId"], request["messages"], response, verdict.violations),
        }


def _lookups(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls of a response if it only looks, else none."""
    if response.get("stopReason") != "tool_use":
        return []
    calls = [block["toolUse"] for block in content_of(response) if isinstance(block.get("toolUse"), dict)]
    return calls if calls and all(call.get("name") in TOOLS for call in calls) else []


def _served(
    messages: Sequence[dict[str, Any]],
    response: dict[str, Any],
    results: Sequence[tuple[dict[str, Any], str]],
) -> list[dict[str, Any]]:
    """The conversation, continued with what was looked up."""
    said = [block for block in map(sendable, content_of(response)) if block]
    found = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": text}]}}
        for call, text in results
    ]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": found}]
