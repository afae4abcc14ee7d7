"""Asks a model through Converse, and once more when the answer has not the form that can be checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from functions.core.prices import Usage, cost_usd
from functions.core.proposal import ABSTAIN_TOOL, PROPOSE_TOOL, Abstention, Proposal
from functions.core.spend import Commitment
from functions.propose_patch.answer import SCHEMAS, Verdict, content_of, judge
from functions.propose_patch.context import estimate_tokens
from functions.propose_patch.prompt import Prompt

MAX_TOKENS = 8_192
"""Of one answer: a proposal with a test takes 500 to 2,000."""

_TURNS = 2

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
    """A valid answer, or None and the violations of the last turn; every response as it came."""

    result: Proposal | Abstention | None
    violations: tuple[str, ...]
    usage: Usage
    cost_usd: float
    responses: tuple[dict[str, Any], ...]


def request_for(model: str, prompt: Prompt) -> dict[str, Any]:
    """The Converse request of the first turn."""
    system: list[dict[str, Any]] = [{"text": prompt.system}]
    if _CACHES.search(model):
        # Covers the tools too, which come before it: later attempts of this heal read both from the cache.
        system.append({"cachePoint": {"type": "default"}})
    tools = [
        {"toolSpec": {"name": name, "description": _DESCRIPTIONS[name], "inputSchema": {"json": schema}}}
        for name, schema in SCHEMAS.items()
    ]
    return {
        "modelId": model,
        "system": system,
        "messages": [{"role": "user", "content": [{"text": prompt.text}]}],
        # Forcing a tool is refused by several current models; the local check makes up for it.
        "toolConfig": {"tools": tools, "toolChoice": {"auto": {}}},
        "inferenceConfig": {"maxTokens": MAX_TOKENS, "temperature": 0.0},
    }


def ask(model: Converses, budget: Commits, request: dict[str, Any]) -> Answer:
    """Ask, with one repair turn. Raises OverBudget before a call that the budget does not cover, and what
    the model raises."""
    responses: list[dict[str, Any]] = []
    usage, cost = Usage(), 0.0
    name = request["modelId"]
    while True:
        with budget.commit(cost_usd(name, _worst(request))) as commitment:
            response = model.converse(request)
            used = _usage(response)
            commitment.cost_usd = cost_usd(name, used)
        usage, cost = usage + used, cost + commitment.cost_usd
        responses.append(response)
        verdict = judge(response)
        if verdict.answer or not verdict.worth_repairing or len(responses) == _TURNS:
            return Answer(verdict.answer, verdict.violations, usage, cost, tuple(responses))
        request = {**request, "messages": _repair(name, request["messages"], response, verdict)}


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


def _worst(request: dict[str, Any]) -> Usage:
    """The most a call can use: all of its input written to the cache, and output up to the limit.

    The factor covers text that takes more tokens than code does, such as dense digits or other scripts.
    """
    text = str((request["system"], request["messages"], request["toolConfig"]))
    return Usage(cache_write=2 * estimate_tokens(text), output=request["inferenceConfig"]["maxTokens"])
