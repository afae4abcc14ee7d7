"""What a model said before is sent back in a form that Bedrock takes, also by a run after that one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer

from functions.core.workflow.errors import ModelRequestInvalid, ModelUnavailable, SelfHealError
from functions.propose_patch.handler import handler
from tests.fakes.bedrock import NO_TOOL_CALL, PROPOSAL, BedrockDouble, Refused, invalid
from tests.fakes.proposing import STATE, Deployed

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

CLAUDE, NOVA = "us.anthropic.claude-sonnet-5-5", "us.amazon.nova-pro-v1:0"
LLAMA, STRICT = "us.meta.llama3-3-70b-instruct-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0"
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "abc"}}}
FAILS = Refused(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")


def call(name: str = "propose_patch", given: Any = PROPOSAL, of: str = "c9") -> dict[str, Any]:
    return {"toolUse": {"toolUseId": of, "name": name, "input": given}}


def look(of: str = "a") -> dict[str, Any]:
    return call("read_file", {"path": "orders/rates.py", "first": 1, "last": 3}, of)


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Iterator[BedrockDouble]:
    double = BedrockDouble.at(httpserver)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
    yield double
    double.end()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (CLAUDE, [[THOUGHT], [call()]]),
        (CLAUDE, [[THOUGHT, {"text": "\n"}], [call()]]),
        (CLAUDE, [[look()], [THOUGHT], [call()]]),
        (CLAUDE, [[{"brandNew": {"x": 1}}, look()], [call()]]),
        (CLAUDE, [[{"reasoningContent": {"brandNew": {"x": 1}}}, look()], [call()]]),
        (CLAUDE, [[{"reasoningContent": {"reasoningText": {"signature": "abc"}}}, look()], FAILS, [call()]]),
        (CLAUDE, [[{"reasoningContent": {"reasoningText": {"text": "hm"}}}, look()], FAILS, [call()]]),
        (LLAMA, [[look()], [{"text": " "}], [call()]]),
        (NOVA, [NO_TOOL_CALL, [call()]]),
        (NOVA, [[look()], NO_TOOL_CALL, [call()]]),
        (NOVA, [[call("$PROPOSE")], [call()]]),
        (NOVA, [[call("propose.patch<|channel|>")], [call()]]),
        (NOVA, [[call("")], [call()]]),
        (NOVA, [[look("tooluse_kZJMlvQmRJ6eAyJE5GIl7Q")], FAILS, [call()]]),
        (NOVA, [[call(given={"base64": "abc"})], FAILS, [call()]]),
        (NOVA, [invalid("Input Tokens Exceeded: Number of input tokens exceeds maximum length."), [call()]]),
    ],
    ids=[
        "only thinks",
        "thinks and says nothing",
        "thinks after a look",
        "a block that is newer than the SDK",
        "a thought that is newer than the SDK",
        "a thought that is only signed, then a failure",
        "a thought that nobody signed, then a failure",
        "nothing after a look, to a model that takes no text beside results",
        "no tool call at all",
        "no tool call after a look",
        "a tool's name of signs",
        "a tool's name with a channel",
        "no name",
        "an id like a token, then a failure",
        "an input like our own bytes, then a failure",
        "too long in Nova's words",
    ],
)
def test_it_goes_on_to_a_proposal(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext, model: str, said: list[Any]
) -> None:
    bedrock.script(said)
    deployed.register(model=model)
    for _ in range(said.count(FAILS)):
        with pytest.raises(ModelUnavailable):
            handler(STATE, lambda_context)
    assert handler(STATE, lambda_context)["outcome"] == "proposed"


def test_what_was_looked_at_is_not_lost_by_a_turn_that_only_thinks(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    bedrock.script([[look()], [THOUGHT], [call()]])
    deployed.register(model=CLAUDE)
    handler(STATE, lambda_context)
    (answer,) = bedrock.requests[-1][1]["messages"][-1]["content"]
    assert answer["toolResult"]["toolUseId"] == "a"
    found, note = answer["toolResult"]["content"]
    assert "RATES" in found["text"]
    assert "was not accepted" in note["text"]


def test_a_thought_that_is_only_signed_goes_back_with_an_empty_text(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    bedrock.script([[{"reasoningContent": {"reasoningText": {"signature": "abc"}}}, look()], [call()]])
    deployed.register(model=CLAUDE)
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    thought = bedrock.requests[-1][1]["messages"][1]["content"][0]["reasoningContent"]
    assert thought == {"reasoningText": {"text": "", "signature": "abc"}}


@pytest.mark.parametrize(
    "said",
    [
        "tools.0.custom: Schema type 'oneOf' is not supported",
        "The model returned the following errors: tools.1.custom: For 'array' type, property 'maxItems' is"
        " not supported",
        "tools.0.custom: Invalid schema: Reference to non-existent definition: #/$defs/e07cb97b",
        "The compiled grammar is too large, which would cause performance issues. Simplify your tool schemas"
        " or reduce the number of strict tools.",
        "Schemas contains too many optional parameters (26), which would make grammar compilation"
        " inefficient. Reduce the number of optional parameters in your tool schemas (limit: 24).",
        "Schema is too complex for compilation. Try reducing the number of tools or simplifying schemas.",
        "tools.0.custom.strict: Extra inputs are not permitted",
    ],
)
def test_strict_tools_that_are_refused_are_offered_once_more_without_it(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext, said: str
) -> None:
    bedrock.script([invalid(said), [call()]])
    deployed.register(model=STRICT)
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], outcome["model"]) == ("proposed", STRICT)
    assert outcome["model_note"] == "asked without strict, which it refused"
    first, second = ("strict" in json.dumps(request["toolConfig"]) for _, request in bedrock.requests)
    assert (first, second) == (True, False)


def test_a_thought_that_was_redacted_is_not_sent_back_for_ever(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    """It is refused, since its signature no longer fits; then the conversation begins anew, once."""
    named = {"reasoningContent": {"reasoningText": {"text": "ask joe@shop.example", "signature": "abc"}}}
    changed = invalid("`thinking` blocks in the latest assistant message cannot be modified.")
    bedrock.script([[named, look()], FAILS, changed, [call()]])
    deployed.register(model=CLAUDE)
    with pytest.raises(ModelUnavailable):
        handler(STATE, lambda_context)
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    assert len(bedrock.requests[-1][1]["messages"]) == 1

    bedrock.script([invalid("no"), [call()]])
    with pytest.raises(ModelRequestInvalid):
        handler({**STATE, "attempt": 2}, lambda_context)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("data retention mode 'default' is not available for this model", "data retention, or set another"),
        ("Operation not allowed", "ask AWS Support"),
        (
            "Model access is denied due to IAM user or service role is not authorized to perform the"
            " required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe)"
            " to enable access to this model.",
            "Nobody has subscribed this account",
        ),
        (
            "Access to Anthropic models is not allowed from unsupported countries, regions, or territories.",
            "set another maker's",
        ),
        ("The guardrail identifier or version provided in the request does not exist.", "app's 'guardrail'"),
    ],
)
def test_a_refusal_says_what_to_do(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext, said: str, told: str
) -> None:
    bedrock.script([invalid(said)])
    deployed.register(model=CLAUDE)
    with pytest.raises(SelfHealError, match=told):
        handler(STATE, lambda_context)


def test_a_refusal_in_the_maker_s_own_json_is_read(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    inner = {"type": "permission_error", "message": "This model is not available for this account."}
    bedrock.script([Refused(403, "", {"type": "error", "error": inner})])
    deployed.register(model=CLAUDE)
    with pytest.raises(SelfHealError, match=r"permission_error: This model is .*ask AWS Support"):
        handler(STATE, lambda_context)
