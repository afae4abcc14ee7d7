"""Every model that Bedrock has, with the rules that are published of it: it answers, or the next one is
asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from functions.core.model.arns import OF_AN_ACCOUNT
from functions.core.workflow.errors import (
    ModelAccessDenied,
    ModelNotFound,
    ModelRequestInvalid,
    SelfHealError,
)
from functions.propose_patch.handler import handler
from tests.fakes.bedrock import CUT_OFF, MODELS, BedrockDouble, Refused
from tests.fakes.emulated import LambdaContext
from tests.fakes.proposing import STATE, Deployed

FALLBACK = "us.amazon.nova-pro-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Iterator[BedrockDouble]:
    double = BedrockDouble.at(httpserver)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
    yield double
    double.end()


def profile_of(name: str) -> str:
    """The id by which a model is reached in us-east-1."""
    return f"us.{name}" if "us" in MODELS[name].reach else name


SETTINGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "all set": {
        "temperature": 0.0,
        "effort": "xhigh",
        "answer_tokens": 50_000,
        "context_window": 200_000,
        "codebuild_project": "self-heal-orders",
    },
}


@pytest.mark.parametrize("known", [True, False], ids=["known", "behind a profile that says nothing"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("name", MODELS)
def test_every_id_ends_answered_or_failed_over(
    deployed: Deployed,
    bedrock: BedrockDouble,
    lambda_context: LambdaContext,
    name: str,
    settings: dict[str, Any],
    known: bool,
) -> None:
    model = profile_of(name)
    if not known:
        bedrock.profiles[PROFILE], model = model, PROFILE
    deployed.register(model=model, fallback_models=[FALLBACK], **settings)
    outcome = handler(STATE, lambda_context)
    assert outcome["outcome"] == "proposed", outcome["reason"]
    assert outcome["model"] == (model if MODELS[name].answers else FALLBACK)
    if not MODELS[name].answers:
        assert model in outcome["model_note"]
    if MODELS[name].answers and known and not settings:
        assert bedrock.refusals == [], "what is known of a model spares the calls that it refuses"


@pytest.mark.parametrize("kind", OF_AN_ACCOUNT)
def test_whatever_of_an_account_answers_is_asked_by_its_arn(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext, kind: str
) -> None:
    arn = f"arn:aws:bedrock:us-east-1:123456789012:{kind}/abcdefghijkl"
    bedrock.profiles[arn] = "us.mistral.pixtral-large-2502-v1:0"
    deployed.register(model=arn)
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], outcome["model"]) == ("proposed", arn)


def test_there_are_enough_models_of_each_maker() -> None:
    makers = [name.partition(".")[0] for name in MODELS]
    assert len(makers) >= 14
    assert set(makers) == {"anthropic", "amazon", "meta", "mistral"}
    assert all(rules.source for rules in MODELS.values())


def test_what_a_model_refused_is_remembered_for_the_heal_and_said(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    deployed.register(model="us.anthropic.claude-sonnet-5-5", temperature=0.0)
    first = handler(STATE, lambda_context)
    assert first["model_note"] == "asked without temperature, which it refused"
    assert len(bedrock.refusals) == 1
    second = handler(STATE | {"attempt": 2}, lambda_context)
    assert second["outcome"] == "proposed"
    assert len(bedrock.refusals) == 1


@pytest.mark.parametrize(
    ("model", "error", "names", "remedy"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ModelNotFound, "Legacy", "set a current one"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", ModelNotFound, "end of its life", "set a current one"),
        ("us.anthropic.claude-sonnet-9", ModelNotFound, "identifier is invalid", "that this region has"),
        ("eu.anthropic.claude-sonnet-5-5", ModelNotFound, "identifier is invalid", "'model_region'"),
        ("anthropic.claude-sonnet-5-5", ModelNotFound, "on-demand", "such as eu.anthropic.claude-sonnet-5-5"),
        ("meta.llama3-8b-instruct-v1:0", ModelRequestInvalid, "tool use", "a model that takes tools"),
    ],
)
def test_a_model_that_cannot_be_had_is_named_with_what_to_set(
    deployed: Deployed,
    bedrock: BedrockDouble,
    lambda_context: LambdaContext,
    model: str,
    error: type[SelfHealError],
    names: str,
    remedy: str,
) -> None:
    deployed.register(model=model)
    with pytest.raises(error) as raised:
        handler(STATE, lambda_context)
    assert type(raised.value) is error
    for words in (model, names, remedy, "then redrive"):
        assert words in str(raised.value)


def test_access_and_the_use_case_form_are_told_apart(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    deployed.register(model="us.anthropic.claude-opus-5")
    bedrock.without_form = True
    with pytest.raises(ModelAccessDenied, match="Submit the maker's use-case form"):
        handler(STATE, lambda_context)
    bedrock.not_enabled.add("anthropic.claude-opus-5")
    with pytest.raises(ModelAccessDenied, match="Enable the model"):
        handler(STATE, lambda_context)


def test_a_region_without_a_default_model_says_what_to_set(
    deployed: Deployed, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.register(model_region="sa-east-1")
    with pytest.raises(ModelNotFound, match=r"sa-east-1 has no default model .* set the app's 'model'"):
        handler(STATE, lambda_context)


def test_every_call_carries_app_and_incident(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    handler(STATE, lambda_context)
    marks = [request["requestMetadata"] for _, request in bedrock.requests]
    assert marks == [{"app": "orders", "incident": "orders-f", "heal": "h1"}] * 3


def test_the_apps_guardrail_is_asked_for_with_every_call(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    deployed.register(model=FALLBACK, guardrail="gr-1:3")
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    asked = {json.dumps(request["guardrailConfig"]) for _, request in bedrock.requests}
    assert asked == {json.dumps({"guardrailIdentifier": "gr-1", "guardrailVersion": "3"})}


def test_what_is_sent_is_as_long_as_the_provider_counts(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    """Estimates are on the high side: by the count, source stays that would be left out."""
    counts = next(name for name, rules in MODELS.items() if rules.counts and rules.answers)
    deployed.register(model=profile_of(counts))
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    sent = deployed.artifact("1/prompt.json")
    assert 0 < sent["counted_tokens"] < sent["tokens"]


def test_reasoning_that_is_bytes_is_written_and_goes_back_as_it_came_after_a_redrive(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    converse, failures = bedrock.converse, iter([False, True])

    def fail_at_the_second_turn(model: str, request: dict[str, Any]) -> dict[str, Any]:
        if next(failures, False):
            raise Refused(503, "ServiceUnavailableException", "Try again.")
        return converse(model, request)

    deployed.register(model="us.anthropic.claude-opus-5-5")
    monkeypatch.setattr(bedrock, "converse", fail_at_the_second_turn)
    with pytest.raises(SelfHealError):
        handler(STATE, lambda_context)
    (written,) = deployed.artifact("1/answer.json")["conversations"]
    assert "base64" in json.dumps(written["responses"][0])
    # When it is redriven, then the first turn is not asked for again, and its thoughts are taken back
    outcome = handler(STATE, lambda_context)
    assert outcome["outcome"] == "proposed"
    assert len(bedrock.requests) == 3
    assert outcome["output_tokens"] == 3 * 4_000


def limits(bedrock: BedrockDouble) -> list[tuple[str, int]]:
    """The room of each answer that was given, by the model that gave it."""
    return [(model, request["inferenceConfig"]["maxTokens"]) for model, request in bedrock.requests]


def test_thinking_that_takes_all_the_room_is_given_double_room_once(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    thinker = "us.anthropic.claude-opus-5-5"
    deployed.register(model=thinker, effort="xhigh")
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    assert limits(bedrock) == [(thinker, 16_384), *[(thinker, 32_768)] * 3]


@pytest.mark.parametrize(
    ("behind", "rooms"),
    [("us.amazon.nova-pro-v1:0", [5_000]), ("us.mistral.pixtral-large-2502-v1:0", [8_192])],
    ids=["known by the first refusal", "known by the refusal of twice as much"],
)
def test_the_same_room_is_not_paid_for_twice(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext, behind: str, rooms: list[int]
) -> None:
    """Behind a profile that says nothing there may be a model that writes no more than it did."""
    bedrock.profiles[PROFILE] = behind
    bedrock.script([CUT_OFF])
    deployed.register(model=PROFILE)
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], "cut off" in outcome["reason"]) == ("invalid", True)
    assert limits(bedrock) == [(PROFILE, tokens) for tokens in rooms]


def test_where_an_answer_does_not_fit_the_next_model_is_asked(
    deployed: Deployed, bedrock: BedrockDouble, lambda_context: LambdaContext
) -> None:
    deployed.register(model=FALLBACK, fallback_models=["us.anthropic.claude-opus-5-5"])
    bedrock.script([CUT_OFF])
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], outcome["model"]) == ("proposed", "us.anthropic.claude-opus-5-5")
    assert outcome["model_note"].startswith(f"model {FALLBACK}: the answer was cut off")


def test_a_model_that_hangs_leaves_the_next_one_its_time(
    deployed: Deployed, bedrock: BedrockDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a step's time each model has its share; the seconds are shortened here alike."""
    deployed.register(model="us.anthropic.claude-opus-5-5", fallback_models=[FALLBACK])
    bedrock.hangs.add("us.anthropic.claude-opus-5-5")
    monkeypatch.setattr("functions.core.model.time_left._TO_END", 0.0)
    monkeypatch.setattr("functions.core.model.bedrock.LEAST", 0.1)
    outcome = handler(STATE, LambdaContext(seconds=8.0))
    assert (outcome["outcome"], outcome["model"]) == ("proposed", FALLBACK)
    assert "no answer within" in outcome["model_note"]
