"""Asking: what is sent to which model family, which answers are taken, and how a bad one is repaired."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from functions.core.model.adapted import Adapted
from functions.core.model.budget import OverBudget
from functions.core.model.exchange import Exchange
from functions.core.model.journal import Journal
from functions.core.model.limits import ANSWER_TOKENS, THINKING_TOKENS, Window, window_of
from functions.core.model.requests import RequestOptions, request_tokens
from functions.core.model.sections import PromptSection
from functions.core.source.archive import Member
from functions.core.workflow.proposal import Abstention, Proposal
from functions.propose_patch.ask import ModelAnswer, ask, request_for
from functions.propose_patch.prompt import Prompt
from functions.propose_patch.repository import SourceTree
from functions.propose_patch.retrieval import MOST_TURNS, RetrievalTools
from tests.fakes.purse import Purse
from tests.fakes.script import Script

CLAUDE = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
THINKER = "eu.anthropic.claude-sonnet-5-5"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
PROMPT = Prompt("the rules", (PromptSection("the incident", "incident", 3),))

PROPOSAL = {
    "root_cause": "The table has no entry for NZ.",
    "title": "Charge the default rate",
    "explanation": "Looks up with a default.",
    "edits": [{"path": "rates.py", "search": "RATES[country]", "replace": "RATES.get(country, 9)"}],
    "regression_test": {"path": "tests/test_rates.py", "code": "def test(): ..."},
    "confidence": 0.8,
}
ABSTENTION = {
    "class": "data",
    "reason": "The row is broken.",
    "files_looked_at": ["a.py"],
    "next_action": "Mend it.",
}


def call(data: Any, name: str = "propose_patch", number: int = 1) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": f"call-{number}", "name": name, "input": data}}


def response(*content: dict[str, Any], stop: str = "tool_use") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100},
    }


@dataclass
class Asked:
    """An answer, the model that gave it, and the journal of how."""

    answer: ModelAnswer
    script: Script
    journal: Journal

    @property
    def result(self) -> Any:
        return self.answer.result


def asked(
    *answers: dict[str, Any],
    model: str = CLAUDE,
    purse: Purse | None = None,
    looks: RetrievalTools | None = None,
    journal: Journal | None = None,
    window: Window | None = None,
    counted: int | None = None,
) -> Asked:
    script, journal = Script(*answers), journal or Journal()
    window = window or window_of(model)
    talk = journal.open(model, lambda: request_for(model, PROMPT, answer_tokens=window.answer))
    exchange = Exchange(Adapted(script), purse or Purse(), talk, window)
    return Asked(ask(exchange, talk.request, window, looks, counted), script, journal)


def test_the_request_is_bounded_offers_tools_and_forces_none() -> None:
    request = request_for(CLAUDE, PROMPT)
    assert [tool["toolSpec"]["name"] for tool in request["toolConfig"]["tools"]] == [
        "propose_patch",
        "abstain",
        "read_file",
        "find_definition",
        "search_text",
    ]
    assert request["toolConfig"]["toolChoice"] == {"auto": {}}
    assert request["inferenceConfig"] == {"maxTokens": ANSWER_TOKENS}
    assert request["messages"] == [
        {"role": "user", "content": [{"text": "the incident"}, {"cachePoint": {"type": "default"}}]}
    ]


def test_an_app_sets_temperature_and_guardrail_and_marks_its_calls() -> None:
    marks = {"app": "orders", "incident": "orders-1"}
    request = request_for(CLAUDE, PROMPT, RequestOptions(temperature=0.0, guardrail="gr-1:7", metadata=marks))
    assert request["inferenceConfig"]["temperature"] == 0.0
    assert request["guardrailConfig"] == {"guardrailIdentifier": "gr-1", "guardrailVersion": "7"}
    assert request["requestMetadata"] == marks
    request = request_for(CLAUDE, PROMPT, RequestOptions(guardrail="gr-1"))
    assert request["guardrailConfig"]["guardrailVersion"] == "DRAFT"
    plain = request_for(CLAUDE, PROMPT)
    assert not {"guardrailConfig", "requestMetadata", "additionalModelRequestFields"} & set(plain)


UNKNOWN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        (THINKER, "", "medium"),
        (THINKER, "xhigh", "xhigh"),
        ("us.anthropic.claude-sonnet-4-6", "", None),
        ("us.anthropic.claude-sonnet-4-6", "xhigh", "high"),
        (CLAUDE, "low", None),
        (UNKNOWN, "", None),
        (UNKNOWN, "low", "low"),
    ],
)
def test_effort_is_sent_to_those_that_know_it(model: str, wanted: str, sent: str | None) -> None:
    fields = request_for(model, PROMPT, RequestOptions(effort=wanted)).get("additionalModelRequestFields", {})
    assert fields.get("output_config", {}).get("effort") == sent


def test_strict_tools_are_offered_where_they_are_known_in_the_words_they_may_have() -> None:
    for model, strict in ((CLAUDE, True), (THINKER, False), (LLAMA, False)):
        tools = [tool["toolSpec"] for tool in request_for(model, PROMPT)["toolConfig"]["tools"]]
        assert [tool.get("strict", False) for tool in tools] == [strict] * len(tools)
        assert ("maxLength" in json.dumps(tools)) is not strict
        assert {"title", "edits", "confidence"} <= set(tools[0]["inputSchema"]["json"]["properties"])


def test_a_cache_lives_an_hour_where_attempts_are_far_apart_and_the_model_knows_it() -> None:
    far = RequestOptions(an_hour=True)
    hour = {"cachePoint": {"type": "default", "ttl": "1h"}}
    request = request_for(CLAUDE, PROMPT, far)
    assert hour in request["system"]
    assert hour in request["messages"][0]["content"]
    nova = request_for("us.amazon.nova-pro-v1:0", PROMPT, far)
    assert {"cachePoint": {"type": "default"}} in nova["system"]


@pytest.mark.parametrize(
    ("model", "cached"),
    [
        (CLAUDE, True),
        ("eu.anthropic.claude-3-7-sonnet-20250219-v1:0", True),
        ("us.amazon.nova-pro-v1:0", True),
        ("anthropic.claude-3-sonnet-20240229-v1:0", False),
        (LLAMA, False),
        (UNKNOWN, False),
    ],
)
def test_only_families_that_know_cache_points_get_one(model: str, cached: bool) -> None:
    assert ({"cachePoint": {"type": "default"}} in request_for(model, PROMPT)["system"]) is cached


def test_what_all_attempts_share_is_cached_behind_the_source() -> None:
    names = ("incident", "traceback", "source a.py", "attempt 1", "reviewer_comment")
    prompt = Prompt("the rules", tuple(PromptSection(f"the {name}", name, 3) for name in names))
    shared, point, rest = request_for(CLAUDE, prompt)["messages"][0]["content"]
    assert shared["text"].endswith("the source a.py")
    assert "cachePoint" in point
    assert "\n".join((shared["text"], rest["text"])) == prompt.text
    assert request_for(LLAMA, prompt)["messages"][0]["content"] == [{"text": prompt.text}]


def test_a_proposal() -> None:
    answer = asked(response({"text": "Here it is."}, call(PROPOSAL)))
    assert answer.result == Proposal.from_json(PROPOSAL)
    usage = answer.journal.usage
    assert (usage.input, usage.output, len(answer.script.requests)) == (1000, 100, 1)
    assert answer.journal.cost_usd == pytest.approx(0.0045)


def test_input_that_comes_as_the_text_of_an_object_is_read() -> None:
    assert asked(response(call(json.dumps(PROPOSAL)))).result == Proposal.from_json(PROPOSAL)


def test_thinking_before_the_answer_is_no_answer_and_goes_back_as_it_came() -> None:
    thoughts = {"reasoningContent": {"redactedContent": "sealed"}}
    bad = response(thoughts, {"text": "prose"}, stop="end_turn")
    answer = asked(bad, response(thoughts, call(PROPOSAL)), model=THINKER)
    assert answer.result == Proposal.from_json(PROPOSAL)
    assert thoughts in answer.script.requests[1]["messages"][1]["content"]


def test_an_abstention() -> None:
    answer = asked(response(call(ABSTENTION, "abstain")))
    assert answer.result == Abstention.from_json(ABSTENTION)


INVALID = {
    "prose": (response({"text": "I would change line 5."}, stop="end_turn"), "the answer was prose"),
    "nothing": (response(stop="end_turn"), "the answer was nothing"),
    "blank text": (response({"text": " \n"}, stop="end_turn"), "the answer was nothing"),
    "no message at all": ({"stopReason": "end_turn", "usage": {}}, "the answer was nothing"),
    "broken JSON": (response({"text": "x"}, stop="malformed_tool_use"), "could not be parsed"),
    "input is text": (response(call("{'title':")), "input must be object"),
    "missing field": (response(call({"title": "x"})), "input must contain"),
    "no edits": (response(call(PROPOSAL | {"edits": []})), "input.edits must contain at least 1 items"),
    "unknown field": (response(call(PROPOSAL | {"command": "rm"})), "command"),
    "confidence": (response(call(PROPOSAL | {"confidence": 2})), "input.confidence must be smaller"),
    "abstention class": (
        response(call(ABSTENTION | {"class": "bored"}, "abstain")),
        "input.class must be one of",
    ),
    "two tools": (response(call(PROPOSAL), call(ABSTENTION, "abstain", 2)), "2 tools were called"),
    "unknown tool": (response(call({}, "run_shell")), "there is no tool 'run_shell'"),
    "tool call in another stop": (response(call(PROPOSAL), stop="end_turn"), "stopped with 'end_turn'"),
    "placeholder in code": (
        response(
            call(
                PROPOSAL
                | {"edits": [{"path": "a", "search": "b", "replace": "x = '[redacted secret 12ab]'"}]}
            )
        ),
        "placeholder",
    ),
}


@pytest.mark.parametrize(("bad", "violation"), INVALID.values(), ids=INVALID)
def test_an_invalid_answer_gets_one_repair_turn(bad: dict[str, Any], violation: str) -> None:
    # When the second answer is good, then it counts
    answer = asked(bad, response(call(PROPOSAL)))
    assert isinstance(answer.result, Proposal)
    assert len(answer.script.requests) == 2
    assert violation in json.dumps(answer.script.requests[1]["messages"])
    _is_wellformed(answer.script.requests[1]["messages"])
    # When it is not, then the attempt is invalid, and says why
    answer = asked(bad, bad)
    assert answer.result is None
    assert violation in answer.answer.violations[0]
    assert len(answer.script.requests) == len(answer.journal.responses) == 2


def _is_wellformed(messages: list[dict[str, Any]]) -> None:
    """What Converse demands: turns alternate, none is empty, every tool call is answered."""
    assert [m["role"] for m in messages] in (["user"], ["user", "assistant", "user"])
    for message in messages:
        assert message["content"]
        assert all(block.get("text", "x").strip() for block in message["content"])
    if len(messages) == 3:
        calls = {b["toolUse"]["toolUseId"] for b in messages[1]["content"] if "toolUse" in b}
        results = [b["toolResult"] for b in messages[2]["content"] if "toolResult" in b]
        assert {result["toolUseId"] for result in results} == calls
        assert all(result["status"] == "error" for result in results)
        assert all(isinstance(b["toolUse"]["input"], dict) for b in messages[1]["content"] if "toolUse" in b)


def test_a_status_is_sent_only_to_families_that_know_it() -> None:
    answer = asked(response(call({})), response(call(PROPOSAL)), model=LLAMA)
    assert "status" not in answer.script.requests[1]["messages"][2]["content"][0]["toolResult"]


CUT_OFF = response({"text": "First, "}, stop="max_tokens")


@pytest.mark.parametrize(
    ("model", "limits"),
    [
        (CLAUDE, [ANSWER_TOKENS, 2 * ANSWER_TOKENS]),
        (THINKER, [THINKING_TOKENS, 2 * THINKING_TOKENS]),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", [4_096]),
        (UNKNOWN, [ANSWER_TOKENS, 2 * ANSWER_TOKENS]),
    ],
)
def test_an_answer_cut_off_is_asked_for_again_once_with_double_room(model: str, limits: list[int]) -> None:
    # When there is room for it, then the same is asked again
    answer = asked(CUT_OFF, response(call(PROPOSAL)), model=model)
    sent = answer.script.requests
    assert [request["inferenceConfig"]["maxTokens"] for request in sent] == limits
    assert all(request["messages"] == sent[0]["messages"] for request in sent)
    # When that is cut off too, then the attempt is invalid, and says why
    answer = asked(CUT_OFF, CUT_OFF, model=model)
    assert answer.result is None
    assert "cut off" in answer.answer.violations[0]
    assert len(answer.script.requests) == len(limits)


@pytest.mark.parametrize("stop", ["guardrail_intervened", "content_filtered", "refusal"])
def test_a_refusal_is_an_abstention(stop: str) -> None:
    answer = asked(response({"text": "Sorry."}, stop=stop))
    assert isinstance(answer.result, Abstention)
    assert stop in answer.result.reason
    assert len(answer.script.requests) == 1


def test_a_window_that_was_too_small_is_told_from_a_bad_answer() -> None:
    answer = asked(response(stop="model_context_window_exceeded"))
    assert (answer.result, answer.answer.too_long) == (None, True)
    assert len(answer.script.requests) == 1


def test_every_turn_is_committed_with_its_worst_case_and_settled_for_its_cost() -> None:
    purse = Purse()
    bad = response({"text": "prose"}, stop="end_turn")
    answer = asked(bad, response(call(PROPOSAL)), purse=purse)
    assert len(purse.paid) == 2
    for worst, cost in purse.paid:
        assert worst > ANSWER_TOKENS * 15 / 1e6
        assert cost == pytest.approx(0.0045)
    assert answer.journal.cost_usd == pytest.approx(0.009)
    assert answer.journal.usage.input == 2000


def test_a_repair_turn_that_is_over_budget_is_not_asked() -> None:
    journal = Journal()
    with pytest.raises(OverBudget):
        asked(response({"text": "prose"}, stop="end_turn"), purse=Purse(calls=1), journal=journal)
    assert len(journal.responses) == 1


def look(name: str, number: int = 1, **arguments: Any) -> dict[str, Any]:
    return call(arguments, name, number)


@pytest.fixture
def looks() -> RetrievalTools:
    return RetrievalTools(SourceTree([Member("a.py", b"def f():\n    return 1\n")]), "0a1b2c3d")


def test_what_the_model_looks_up_is_served_and_it_goes_on(looks: RetrievalTools) -> None:
    both = response(look("read_file", 1, path="a.py", first=1, last=2), look("search_text", 2, text="return"))
    purse = Purse()
    answer = asked(both, response(call(PROPOSAL)), purse=purse, looks=looks)
    assert answer.result == Proposal.from_json(PROPOSAL)
    _, said, served = answer.script.requests[1]["messages"]
    assert said == {"role": "assistant", "content": both["output"]["message"]["content"]}
    results = [block["toolResult"] for block in served["content"]]
    assert [result["toolUseId"] for result in results] == ["call-1", "call-2"]
    assert "     2|     return 1" in results[0]["content"][0]["text"]
    assert "a.py:2: return 1" in results[1]["content"][0]["text"]
    assert answer.journal.conversations[0].sent == [served]
    assert len(purse.paid) == 2
    assert purse.paid[1][0] > purse.paid[0][0]


def test_looking_is_bounded_then_the_answer_is_due(looks: RetrievalTools) -> None:
    turn = response(look("search_text", text="return"))
    turns = [turn] * (MOST_TURNS + 1)
    answer = asked(*turns, response(call(ABSTENTION, "abstain")), purse=Purse(20), looks=looks)
    assert isinstance(answer.result, Abstention)
    script = answer.script
    assert len(script.requests) == MOST_TURNS + 2
    last = script.requests[-2]["messages"][-1]["content"][0]["toolResult"]["content"][0]["text"]
    assert last.endswith("You cannot look further: answer now.")
    assert "there is no tool 'search_text'" in str(script.requests[-1]["messages"][-1])


def test_what_could_not_be_read_is_not_served(looks: RetrievalTools) -> None:
    turn = response(look("read_file", path="a.py", first=1, last=2))
    room = request_tokens(request_for(CLAUDE, PROMPT)) + 60
    window = Window(room + ANSWER_TOKENS, ANSWER_TOKENS)
    answer = asked(turn, response(call(ABSTENTION, "abstain")), looks=looks, window=window)
    assert isinstance(answer.result, Abstention)
    served = answer.script.requests[-1]["messages"][-1]["content"][0]["toolResult"]["content"][0]["text"]
    assert served.startswith("Not shown: you could not read more than you have.")


def test_looking_that_never_ends_is_no_answer(looks: RetrievalTools) -> None:
    turn = response(look("search_text", text="return"))
    answer = asked(*[turn] * (MOST_TURNS + 2), purse=Purse(20), looks=looks)
    assert answer.result is None
    assert len(answer.script.requests) == MOST_TURNS + 2


def test_a_look_that_is_over_budget_is_not_asked_for(looks: RetrievalTools) -> None:
    with pytest.raises(OverBudget):
        asked(response(look("search_text", text="return")), purse=Purse(calls=1), looks=looks)


def test_what_the_provider_counted_is_the_worst_case() -> None:
    purse = Purse()
    asked(response(call(PROPOSAL)), purse=purse, counted=1_000_000)
    assert purse.paid[0][0] == pytest.approx(3 * 1.25 + ANSWER_TOKENS * 15 / 1e6)


def test_an_answer_that_was_written_is_not_asked_for_again() -> None:
    written: list[dict[str, Any]] = []
    journal = Journal(keep=lambda said: written.append(json.loads(json.dumps(said))))
    sealed = {"reasoningContent": {"redactedContent": b"\x00\xff"}}
    bad = response(sealed, {"text": "prose"}, stop="end_turn")
    # When the step dies before the repair turn
    with pytest.raises(OverBudget):
        asked(bad, purse=Purse(calls=1), journal=journal)
    # Then the next run goes on from what was written before it was judged
    again = Journal(written[-1])
    answer = asked(response(call(PROPOSAL)), journal=again, purse=Purse(calls=1))
    assert answer.result == Proposal.from_json(PROPOSAL)
    (request,) = answer.script.requests
    assert "prose" in str(request["messages"][1]), "the repair turn follows the answer of the first run"
    assert len(again.responses) == 2
    assert again.cost_usd == pytest.approx(0.009)
