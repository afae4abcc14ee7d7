"""Judges what a model answered: one call of one of the two tools, with input that fits its schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from functions.core.model.conversation import content_of
from functions.core.notify.counts import counted
from functions.core.untrusted.redaction import PLACEHOLDER
from functions.core.workflow.proposal import (
    ABSTAIN_SCHEMA,
    ABSTAIN_TOOL,
    PROPOSE_SCHEMA,
    PROPOSE_TOOL,
    Abstention,
    Proposal,
)

SCHEMAS = {PROPOSE_TOOL: PROPOSE_SCHEMA, ABSTAIN_TOOL: ABSTAIN_SCHEMA}

# Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, "stopReason"; the
# last is Claude's own, from the safety classifiers of its current models.
_REFUSED = ("guardrail_intervened", "content_filtered", "refusal")


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """A valid answer, or the violations; `worth_repairing` tells whether asking once more can help,
    `too_long` that it can with a shorter prompt, and `cut_off` that another model may have room for it."""

    answer: Proposal | Abstention | None
    violations: tuple[str, ...] = ()
    worth_repairing: bool = True
    too_long: bool = False
    cut_off: bool = False


def judge(response: dict[str, Any]) -> AnswerCheck:
    """Judge a Converse response."""
    stop = response.get("stopReason", "")
    content = content_of(response)
    if stop == "model_context_window_exceeded":
        violation = "the prompt exceeds the model's context window"
        return AnswerCheck(None, (violation,), worth_repairing=False, too_long=True)
    if stop in _REFUSED:
        return AnswerCheck(_refusal(stop))
    if stop == "max_tokens":
        violation = "the answer was cut off at the token limit: propose fewer or smaller edits"
        return AnswerCheck(None, (violation,), worth_repairing=False, cut_off=True)
    calls = [block["toolUse"] for block in content if "toolUse" in block]
    if stop in ("malformed_tool_use", "malformed_model_output"):
        return _invalid("the tool call could not be parsed: its input must be one valid JSON object")
    if not calls:
        said = "prose" if any(block.get("text", "").strip() for block in content) else "nothing"
        return _invalid(f"the answer was {said}: call exactly one of {PROPOSE_TOOL} and {ABSTAIN_TOOL}")
    if stop != "tool_use":
        return _invalid(f"the answer stopped with {stop!r} instead of a tool call")
    if len(calls) > 1:
        return _invalid(f"{counted(len(calls), 'tool')} were called: call exactly one, once")
    return _judge_call(str(calls[0].get("name", "")), calls[0].get("input"))


def _judge_call(name: str, data: Any) -> AnswerCheck:
    import fastjsonschema

    if name not in SCHEMAS:
        return _invalid(f"there is no tool {name[:40]!r}: call {PROPOSE_TOOL} or {ABSTAIN_TOOL}")
    try:
        _validators()[name](data)
    except fastjsonschema.JsonSchemaValueException as error:
        # The message names the path and the rule; the value itself is left out.
        return _invalid(f"{name}: {re.sub('^data', 'input', str(error.message))[:300]}")
    if name == ABSTAIN_TOOL:
        return AnswerCheck(Abstention.from_json(data))
    proposal = Proposal.from_json(data)
    written = [edit.replace for edit in proposal.edits]
    written += [proposal.regression_test.code] if proposal.regression_test else []
    if any(PLACEHOLDER.search(text) for text in written):
        return _invalid(
            "an edit writes a [redacted …] placeholder: leave lines with masked values as they are"
        )
    return AnswerCheck(proposal)


def _invalid(violation: str) -> AnswerCheck:
    return AnswerCheck(None, (violation,))


def _refusal(stop: str) -> Abstention:
    return Abstention(
        abstention_class="configuration",
        reason=f"The model's guardrail or content filter refused to answer ({stop}).",
        files_looked_at=(),
        next_action="Look at the prompt of this attempt; adjust the guardrail or repair the error by hand.",
    )


@cache
def _validators() -> dict[str, Callable[[Any], Any]]:
    import fastjsonschema

    return {name: fastjsonschema.compile(schema) for name, schema in SCHEMAS.items()}
