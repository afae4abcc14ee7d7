"""Asks a model through Converse, lets it look further, and asks once more for an answer of the right form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from functions.core.prices import Usage, cost_usd
from functions.core.proposal import ABSTAIN_TOOL, PROPOSE_TOOL, Abstention, Proposal
from functions.core.spend import Commitment
from functions.core.windows import ANSWER_TOKENS
from functions.propose_patch.answer import SCHEMAS, Verdict, content_of, judge
from functions.propose_patch.context import estimate_tokens
from functions.propose_patch.look import MOST_TURNS, TOOLS, Looks
from functions.propose_patch.prompt import Prompt

_REPAIRS = 1
_NO_ROOM = "Not shown: you could not read more than you have. You cannot look further: answer now."

_DESCRIPTIONS = {
    PROPOSE_TOOL: "Propose a patch that mends the cause of the error, with a test that reproduces it.",
    ABSTAIN_TOOL: "Decline, because the cause is not in this code or what is shown does not suffice.",
}

# Model families that take what the others refuse. Sources: "Prompt caching" in the Bedrock user guide (models
# and fields), and ToolResultBlock in the API reference ("status": Anthropic Claude 3 and later, Amazon Nova).
_CACHES = re.compile(r"anthropic\.claude-(?:3-7|3-5-haiku|(?:opus|sonnet|haiku)-\d)|amazon\.nova-")
_TAKES_STATUS = re.compile(r"anthropic\.claude-|amazon\.nova-")


class Converses(Protocol):
    """What is asked: `functions.core.bedrock.Bedrock`, or anything that speaks Converse."""

    def converse(self, request: dict[str, Any]) -> dict[str, Any]: ...


class Commits(Protocol):
    """What says whether a call may be paid for: `functions.core.spend.Budget`."""

    def commit(self, worst_usd: float) -> AbstractContextManager[Commitment]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer, or None and the violations of the last turn; every response as it came, and what was
    sent after the first request: results of looking, and what was wrong with an answer. too_long: the model
    had no room left to answer in."""

    result: Proposal | Abstention | None
    violations: tuple[str, ...]
    usage: Usage
    cost_usd: float
    responses: tuple[dict[str, Any], ...]
    sent: tuple[dict[str, Any], ...] = ()
    too_long: bool = False


def request_for(
    model: str,
    prompt: Prompt,
    *,
    temperature: float = 0.0,
    guardrail: str = "",
    answer_tokens: int = ANSWER_TOKENS,
) -> dict[str, Any]:
    """The Converse request of the first turn.

    answer_tokens: the most that an answer may take; temperature: not sent below 0, for models that refuse it;
    guardrail: `ID` or `ID:VERSION`, "" for none.
    """
    system: list[dict[str, Any]] = [{"text": prompt.system}]
    content: list[dict[str, Any]] = [{"text": prompt.text}]
    if _CACHES.search(model):
        # The first covers the tools too, which come before it, and serves all heals. The second covers the
        # source: each look into the repository and each later attempt sends all of that again.
        point = {"cachePoint": {"type": "default"}}
        shared, rest = prompt.halves
        system.append(point)
        content = [{"text": shared}, point, *([{"text": rest}] if rest else [])]
    offered = {name: (_DESCRIPTIONS[name], schema) for name, schema in SCHEMAS.items()} | TOOLS
    tools = [
        {"toolSpec": {"name": name, "description": description, "inputSchema": {"json": schema}}}
        for name, (description, schema) in offered.items()
    ]
    inference = {"maxTokens": answer_tokens} | ({"temperature": temperature} if temperature >= 0 else {})
    identifier, _, version = guardrail.partition(":")
    guard = {"guardrailIdentifier": identifier, "guardrailVersion": version or "DRAFT"}
    return {
        "modelId": model,
        "system": system,
        "messages": [{"role": "user", "content": content}],
        # Forcing a tool is refused by several current models; the local check makes up for it.
        "toolConfig": {"tools": tools, "toolChoice": {"auto": {}}},
        "inferenceConfig": inference,
    } | ({"guardrailConfig": guard} if guardrail else {})


def ask(
    model: Converses,
    budget: Commits,
    request: dict[str, Any],
    looks: Looks | None = None,
    counted: int | None = None,
    room: int = 1_000_000,
) -> Answer:
    """Ask; serve what the model looks up, in a bounded number of turns; one repair turn.

    counted: input tokens of the request, where the provider has counted them; room: how many it may have.
    Raises OverBudget before a call that the budget does not cover, and what the model raises.
    """
    responses: list[dict[str, Any]] = []
    usage, cost = Usage(), 0.0
    name = request["modelId"]
    first = len(request["messages"])
    looked = repaired = 0
    while True:
        with budget.commit(cost_usd(name, _worst(request, counted))) as commitment:
            response = model.converse(request)
            used = _usage(response)
            commitment.cost_usd = cost_usd(name, used)
        usage, cost, counted = usage + used, cost + commitment.cost_usd, None
        responses.append(response)
        calls = _lookups(response) if looks else []
        if looks and calls and looked < MOST_TURNS:
            looked += 1
            last = "" if looked < MOST_TURNS else " You cannot look further: answer now."
            results = [(call, looks.serve(call["name"], call.get("input")) + last) for call in calls]
            longer = {**request, "messages": _served(request["messages"], response, results)}
            if request_tokens(longer) > room:
                results = [(call, _NO_ROOM) for call in calls]
                longer = {**request, "messages": _served(request["messages"], response, results)}
                looked = MOST_TURNS
            request = longer
            continue
        verdict = judge(response)
        if verdict.answer or not verdict.worth_repairing or repaired == _REPAIRS:
            sent = (message for message in request["messages"][first:] if message["role"] == "user")
            return Answer(
                verdict.answer,
                verdict.violations,
                usage,
                cost,
                tuple(responses),
                tuple(sent),
                verdict.too_long,
            )
        repaired += 1
        request = {**request, "messages": _repair(name, request["messages"], response, verdict)}


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
    status = {"status": "error"} if _TAKES_STATUS.search(model) else {}
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


def _usage(response: dict[str, Any]) -> Usage:
    usage = response.get("usage") or {}
    return Usage(
        input=int(usage.get("inputTokens", 0)),
        output=int(usage.get("outputTokens", 0)),
        cache_read=int(usage.get("cacheReadInputTokens", 0)),
        cache_write=int(usage.get("cacheWriteInputTokens", 0)),
    )


def _worst(request: dict[str, Any], counted: int | None = None) -> Usage:
    """The most a call can use: all of its input written to the cache, and output up to the limit.

    Without a count the factor covers text that takes more tokens than code does, such as dense digits or
    other scripts.
    """
    output = request["inferenceConfig"]["maxTokens"]
    if counted is not None:
        return Usage(cache_write=counted, output=output)
    return Usage(cache_write=2 * request_tokens(request), output=output)


def request_tokens(request: dict[str, Any]) -> int:
    """Input tokens of a request, estimated."""
    return estimate_tokens(str((request["system"], request["messages"], request["toolConfig"])))
