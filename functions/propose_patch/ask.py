"""Asks a model through Converse, lets it look further, and asks once more for an answer of the right form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from functions.core.journal import Talk
from functions.core.models import model_of
from functions.core.prices import Usage
from functions.core.proposal import ABSTAIN_TOOL, PROPOSE_TOOL, Abstention, Proposal
from functions.core.requests import DEFAULTS, Options, keeps_for_an_hour, request_of, request_tokens
from functions.core.spend import Commits
from functions.core.windows import ANSWER_TOKENS, Window
from functions.propose_patch.answer import SCHEMAS, Verdict, content_of, judge
from functions.propose_patch.look import MOST_TURNS, TOOLS, Looks
from functions.propose_patch.prompt import Prompt

_REPAIRS = 1
_NO_ROOM = "Not shown: you could not read more than you have. You cannot look further: answer now."

_DESCRIPTIONS = {
    PROPOSE_TOOL: "Propose a patch that mends the cause of the error, with a test that reproduces it.",
    ABSTAIN_TOOL: "Decline, because the cause is not in this code or what is shown does not suffice.",
}


class Converses(Protocol):
    """What is asked: `functions.core.bedrock.Bedrock`, or anything that speaks Converse."""

    def converse(self, request: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer, or None and the violations of the last turn. too_long: the model had no room left to
    answer in."""

    result: Proposal | Abstention | None
    violations: tuple[str, ...]
    too_long: bool = False


def request_for(
    model: str, prompt: Prompt, options: Options = DEFAULTS, answer_tokens: int = ANSWER_TOKENS
) -> dict[str, Any]:
    """The Converse request of the first turn. answer_tokens: the most that an answer may take."""
    offered = {name: (_DESCRIPTIONS[name], schema) for name, schema in SCHEMAS.items()} | TOOLS
    return request_of(model, prompt.system, prompt.halves, offered, options, answer_tokens)


def ask(
    model: Converses,
    budget: Commits,
    talk: Talk,
    window: Window,
    looks: Looks | None = None,
    counted: int | None = None,
) -> Answer:
    """Ask; serve what the model looks up, in a bounded number of turns; ask again with more room for an
    answer that was cut off, once; one repair turn.

    What an earlier run was answered is not asked for again. counted: input tokens of the first request, where
    the provider has counted them. Raises OverBudget before a call that the budget does not cover, and what
    the model raises.
    """
    request = talk.request
    first = len(request["messages"])
    looked = repaired = 0
    doubled = False
    while True:
        response = talk.answered()
        if response is None:
            with budget.commit(talk.cost_of(worst(request, counted))) as commitment:
                response = model.converse(request)
                commitment.cost_usd = talk.cost_of(Usage.of(response))
            talk.add(response, _sent(request, first))
        more = window.doubled(request_tokens(request))
        if response.get("stopReason") == "max_tokens" and not doubled and more > _limit(request):
            doubled = True
            request = {**request, "inferenceConfig": {**request["inferenceConfig"], "maxTokens": more}}
            continue
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
            return Answer(verdict.answer, verdict.violations, verdict.too_long)
        repaired += 1
        request = {**request, "messages": _repair(talk.model, request["messages"], response, verdict)}


def _sent(request: dict[str, Any], first: int) -> list[dict[str, Any]]:
    """Our messages after those of the first request."""
    return [message for message in request["messages"][first:] if message["role"] == "user"]


def _limit(request: dict[str, Any]) -> int:
    return int(request["inferenceConfig"]["maxTokens"])


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
    said = [block for block in map(_sendable, content_of(response)) if block]
    found = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": text}]}}
        for call, text in results
    ]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": found}]


def _repair(
    model: str, messages: Sequence[dict[str, Any]], response: dict[str, Any], verdict: Verdict
) -> list[dict[str, Any]]:
    """The conversation, continued with what is wrong with the answer."""
    note = "Your answer was not accepted: " + "; ".join(verdict.violations) + "."
    said = [block for block in map(_sendable, content_of(response)) if block]
    if not said:
        # An empty assistant turn is refused, and so are two user turns in a row.
        first = messages[0]
        return [{**first, "content": [*first["content"], {"text": note}]}]
    calls = [block["toolUse"]["toolUseId"] for block in said if "toolUse" in block]
    known = model_of(model)
    status = {"status": "error"} if known and known.status else {}
    results = [{"toolResult": {"toolUseId": call, "content": [{"text": note}], **status}} for call in calls]
    reply: list[dict[str, Any]] = [*results] if results else [{"text": note}]
    return [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": reply}]


def _sendable(block: dict[str, Any]) -> dict[str, Any] | None:
    """A block of the answer as it may be sent back: no empty text, tool input always an object."""
    if "text" in block:
        return block if block["text"].strip() else None
    if "toolUse" in block and not isinstance(block["toolUse"].get("input"), dict):
        return {"toolUse": {**block["toolUse"], "input": {}}}
    return block


def worst(request: dict[str, Any], counted: int | None = None) -> Usage:
    """The most a call can use: all of its input written to the cache, and output up to the limit.

    Without a count the factor covers text that takes more tokens than code does, such as dense digits or
    other scripts.
    """
    prompt = 2 * request_tokens(request) if counted is None else counted
    if keeps_for_an_hour(request):
        return Usage(cache_write_hour=prompt, output=_limit(request))
    return Usage(cache_write=prompt, output=_limit(request))
