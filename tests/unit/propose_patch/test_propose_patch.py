"""ProposePatch through its Lambda entry point: moto's AWS, and a server that speaks Converse on the wire."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.core.apps.registry import bound
from functions.core.incidents.incident import Frame, Incident
from functions.core.workflow.artifacts import Artifacts, reference
from functions.core.workflow.errors import ModelAccessDenied, ModelThrottled
from functions.propose_patch.handler import handler
from tests.fakes.proposing import FRAME, SOURCE, STATE, TOKEN, TRACE, Deployed
from tests.fakes.web import answered_by, as_json

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

EDIT = {"path": "orders/rates.py", "search": "RATES[country]", "replace": "RATES.get(country, 9)"}
PROPOSAL = {
    "root_cause": "No rate for NZ.",
    "title": "Charge a default rate",
    "explanation": "Uses a default.",
    "edits": [EDIT],
    "confidence": 0.8,
}
ABSTENTION = {
    "class": "data",
    "reason": "A broken row.",
    "files_looked_at": [],
    "next_action": "Mend the row.",
}
PROSE = {"text": "I would change line 6."}


@dataclass
class Model:
    """What the server answers next: content blocks, or (status, error code); and what it was sent."""

    answers: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    counts: int = 1234
    counted: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """What comes about while it thinks."""

    def proposes(self, **changes: Any) -> None:
        given = PROPOSAL | changes
        self.answers.append([{"toolUse": {"toolUseId": "c1", "name": "propose_patch", "input": given}}])

    def abstains(self) -> None:
        self.answers.append([{"toolUse": {"toolUseId": "c1", "name": "abstain", "input": ABSTENTION}}])


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> Iterator[Model]:
    state = Model()

    def answer(request: Request) -> Response:
        if request.path.endswith("/count-tokens"):
            state.counted.append(request.path)
            return as_json({"inputTokens": state.counts})
        state.paths.append(request.path)
        state.requests.append(request.json)
        state.meanwhile()
        answer = state.answers.pop(0)
        if isinstance(answer, tuple):
            status, error, *words = answer
            said = {"message": "".join(words) or "said by the service"}
            return as_json(said, status, {"x-amzn-ErrorType": error})
        uses_tool = any("toolUse" in block for block in answer)
        message = {"message": {"role": "assistant", "content": answer}}
        usage = {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}
        stop = "tool_use" if uses_tool else "end_turn"
        return as_json({"output": message, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}})

    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", answered_by(httpserver, answer, "/model/.*"))
    yield state
    assert state.answers == []


def said(request: dict[str, Any]) -> str:
    """The text of a request's first message."""
    return "\n".join(block["text"] for block in request["messages"][0]["content"] if "text" in block)


def test_a_proposal_is_kept_and_summed_up(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    model.proposes()
    assert handler(STATE, lambda_context) == {
        "outcome": "proposed",
        "key": reference(
            key := "orders-f/h1/1/proposal.json", Artifacts(boto3.client("s3"), "artifacts").get(key)
        ),
        "title": "Charge a default rate",
        "reason": "No rate for NZ.",
        "next_action": "",
        "held_until": 0,
        "confidence": 0.8,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cost_usd": 0.0033,
        "model": "us.anthropic.claude-sonnet-5-5",
        "model_note": "",
        "answered_by": "",
    }
    assert deployed.artifact("1/proposal.json") == PROPOSAL
    assert deployed.names() == {f"1/{n}.json" for n in ("prompt", "answer", "proposal", "outcome")}
    item = deployed.item()
    assert (item["attempts"], item["cost_usd"], item["status"]) == (1, Decimal("0.0033"), "HEALING")
    assert model.paths == ["/model/us.anthropic.claude-sonnet-5-5/converse"]
    assert model.counted == ["/model/anthropic.claude-sonnet-5-5/count-tokens"]
    assert deployed.artifact("1/prompt.json")["counted_tokens"] == 1234


def test_what_is_sent_is_what_is_kept_and_holds_no_secret(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    model.answers.append([{"text": f"The token {TOKEN} of jane.doe@example.org leaked."}])
    model.proposes()
    handler(STATE, lambda_context)
    prompt, sent = deployed.artifact("1/prompt.json"), model.requests[0]
    assert sent["system"][0]["text"] == prompt["system"]
    assert said(sent) == prompt["user"]
    assert sent["toolConfig"]["tools"] == prompt["tools"]
    assert [part["part"] for part in prompt["parts"][:4]] == ["system", "tools", "incident", "traceback"]
    assert sum(part["tokens"] for part in prompt["parts"]) == prompt["tokens"]
    assert "\n    6>|     return RATES[country]\n" in prompt["user"]
    everything = json.dumps(sent) + deployed.all_text()
    for secret in (TOKEN, "hunter2", "jane.doe"):
        assert secret not in everything


NEWER = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
TOO_NEW = {"python": {"version": NEWER, "why": "Pipfile names it"}}


def test_the_model_is_told_what_the_app_runs_on(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    model.proposes()
    python = {"version": "3.9", "why": "Pipfile names it"}
    handler({**STATE, "source": {**STATE["source"], "python": python}}, lambda_context)
    assert "\npython: 3.9\n" in said(model.requests[0])
    assert "It runs on the Python that the incident names" in model.requests[0]["system"][0]["text"]


def test_a_file_in_syntax_that_is_too_new_for_this_system_is_left_to_people_before_a_model_is_asked(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.fetched({"orders/rates.py": SOURCE + "syntax of the future\n"})
    outcome = handler({**STATE, "source": {**STATE["source"], **TOO_NEW}}, lambda_context)
    assert (outcome["outcome"], model.requests) == ("abstained", [])
    assert f"the app's Python {NEWER} (Pipfile names it) is newer and may read it" in outcome["reason"]
    assert outcome["next_action"] == f"Run this system on Python {NEWER} or newer, then start the heal again."


def test_an_answer_that_edits_such_a_file_is_left_to_people_too(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    edits = [{"path": "orders/other.py", "search": "x = 1", "replace": "x = 2"}]
    deployed.fetched({"orders/rates.py": SOURCE, "orders/other.py": "x = 1\nsyntax of the future\n"})
    model.proposes(edits=edits)
    outcome = handler({**STATE, "source": {**STATE["source"], **TOO_NEW}}, lambda_context)
    assert outcome["outcome"] == "abstained"
    assert outcome["reason"].startswith("configuration: A patch could not be judged: orders/other.py:2: ")
    assert outcome["cost_usd"] > 0, "what was paid is counted"


def test_a_file_that_is_broken_for_the_apps_own_python_is_no_reason_to_abstain(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.fetched({"orders/rates.py": SOURCE + "syntax of no Python\n"})
    model.proposes()
    assert handler(STATE, lambda_context)["outcome"] == "proposed"


def test_a_retried_or_redriven_step_does_not_ask_again(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    model.proposes()
    first = handler(STATE, lambda_context)
    item = {key: value for key, value in deployed.item().items() if key not in ("updated_at", "ttl")}
    assert handler(STATE, lambda_context) == first
    assert len(model.requests) == 1
    again = {key: value for key, value in deployed.item().items() if key not in ("updated_at", "ttl")}
    assert again == item


def test_an_abstention_says_why_and_what_next(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    model.abstains()
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], outcome["reason"], outcome["next_action"]) == (
        "abstained",
        "data: A broken row.",
        "Mend the row.",
    )
    assert deployed.artifact("1/proposal.json") == ABSTENTION


def test_an_invalid_answer_becomes_a_finding_for_the_next_attempt(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    model.answers += [[PROSE], [PROSE]]
    outcome = handler(STATE, lambda_context)
    assert outcome["outcome"] == "invalid"
    assert "the answer was prose" in outcome["reason"]
    assert outcome["cost_usd"] == 0.0066
    assert "proposal.json" not in str(deployed.names())
    # When the next attempt is made
    model.proposes()
    handler(STATE | {"attempt": 2}, lambda_context)
    # Then it sees the finding, and the incident the cost of both
    assert "the answer was prose" in said(model.requests[-1])
    assert (deployed.item()["attempts"], deployed.item()["cost_usd"]) == (2, Decimal("0.0099"))


def test_earlier_proposals_findings_and_the_reviewers_comment_are_shown(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.put("1/proposal.json", PROPOSAL)
    deployed.put("1/findings.json", {"findings": ["reproduction: still fails after the patch"]})
    deployed.put("2/proposal.json", PROPOSAL | {"title": "Second try"})
    model.proposes()
    handler(STATE | {"attempt": 3, "comment": "Raise a ValueError instead."}, lambda_context)
    text = said(model.requests[0])
    positions = [
        text.index(part)
        for part in (
            "Charge a default rate",
            "still fails after the patch",
            "Second try",
            "Raise a ValueError",
        )
    ]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("answer", "error"),
    [((429, "ThrottlingException"), ModelThrottled), ((403, "AccessDeniedException"), ModelAccessDenied)],
)
def test_a_model_that_fails_leaves_nothing_that_looks_done(
    deployed: Deployed,
    model: Model,
    lambda_context: LambdaContext,
    answer: tuple[int, str],
    error: type[Exception],
) -> None:
    model.answers.append(answer)
    with pytest.raises(error):
        handler(STATE, lambda_context)
    assert deployed.names() == {"1/prompt.json"}
    model.proposes()
    assert handler(STATE, lambda_context)["outcome"] == "proposed"


def test_fallbacks_are_asked_in_their_order_while_a_model_refuses_or_fails(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.register(fallback_models=["us.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0"])
    model.answers += [(403, "AccessDeniedException"), (503, "ServiceUnavailableException")]
    model.proposes()
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], outcome["model"]) == ("proposed", "us.amazon.nova-lite-v1:0")
    assert "us.anthropic.claude-sonnet-5-5: AccessDeniedException" in outcome["model_note"]
    assert [path.split("/")[2].partition("-v1")[0] for path in model.paths] == [
        "us.anthropic.claude-sonnet-5-5",
        "us.amazon.nova-pro",
        "us.amazon.nova-lite",
    ]
    assert deployed.artifact("1/prompt.json")["model"] == "us.amazon.nova-lite-v1:0"


def test_a_prompt_that_the_model_cannot_read_is_sent_shorter_and_then_to_a_fallback(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.register(fallback_models=["us.amazon.nova-pro-v1:0"])
    model.answers += [(400, "ValidationException", "prompt is too long: 9000 tokens > 8192 maximum")] * 2
    model.proposes()
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    limits = [request["inferenceConfig"]["maxTokens"] for request in model.requests]
    assert (limits[0], limits[2]) == (16_384, 5_000)
    assert limits[1] <= 8192 // 4
    assert deployed.artifact("1/prompt.json")["inference"]["maxTokens"] == 5000


def test_an_app_says_what_its_model_reads(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.register(context_window=8_192)
    deployed.incident(sample=TRACE + "noise\n" * 9_000)
    model.counts = 5_000
    model.proposes()
    handler(STATE, lambda_context)
    (request,) = model.requests
    assert request["inferenceConfig"]["maxTokens"] == 2_048
    assert len(json.dumps(request)) < 3 * 6_144


def test_when_all_fail_the_apps_own_model_says_how(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.register(fallback_models=["us.amazon.nova-pro-v1:0"])
    model.answers += [(429, "ThrottlingException"), (403, "AccessDeniedException")]
    with pytest.raises(ModelThrottled):
        handler(STATE, lambda_context)


def test_what_the_model_looked_up_is_kept_with_the_answer(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    arguments = {"path": "orders/rates.py", "first": 1, "last": 2}
    model.answers.append([{"toolUse": {"toolUseId": "l1", "name": "read_file", "input": arguments}}])
    model.proposes()
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    served = json.dumps(deployed.artifact("1/answer.json")["conversations"][0]["sent"])
    assert "RATES = {" in served
    assert TOKEN not in served


def test_other_incidents_at_the_same_place_are_told(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.other("orders-g", "TypeError: unhashable", FRAME, pull_request_url="https://git/pull/7")
    deployed.other("orders-h", "ValueError: elsewhere", Frame("/x/y.py", 1, "f", in_app=True))
    model.proposes()
    handler(STATE, lambda_context)
    text = said(model.requests[0])
    assert "error: TypeError: unhashable\nstatus: RESOLVED\n" in text
    assert "https://git/pull/7" in text
    assert "elsewhere" not in text


def join(deployed: Deployed, *names: str) -> None:
    """What these leave that join the incident, all before included."""
    for name in names:
        joined = {"status": "JOINED", "joined_to": "orders-f"}
        deployed.other(name, f"KeyError: {name}", FRAME, sample=f"Traceback of {name}", **joined)
    deployed.joined(*names)


def handed_on(outcome: dict[str, Any]) -> list[str]:
    """The incidents that the proof has to reproduce, too."""
    rows = Artifacts(boto3.client("s3"), "artifacts").get_json(outcome["joined_key"])
    return [Incident.from_item(row).incident_id for row in rows]


def test_incidents_that_joined_are_shown_and_handed_to_the_proof(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    names = [f"orders-j{number}" for number in range(7)]
    join(deployed, *names)
    deployed.other("orders-left", "KeyError: left", FRAME, sample="Traceback of orders-left")
    deployed.joined(*names, "orders-left", "orders-expired")
    model.proposes()
    outcome = handler(STATE, lambda_context)
    text = said(model.requests[0])
    assert [name for name in names if f"Traceback of {name}" in text] == names
    assert text.count("<joined_incident") == 7
    assert "it has to be mended, too" in model.requests[0]["system"][0]["text"]
    assert handed_on(outcome) == names, "one that left is not among them"


def test_of_very_many_as_many_are_shown_as_one_proof_reproduces_and_the_others_are_told_to_it(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    names = [f"orders-j{number}" for number in range(20)]
    join(deployed, *names)
    model.proposes()
    outcome = handler(STATE, lambda_context)
    text = said(model.requests[0])
    assert [name for name in names if f"error: KeyError: {name}\n" in text] == names[:12]
    assert handed_on(outcome) == names


@pytest.mark.parametrize("before", [(), ("orders-j1",)])
def test_those_that_join_while_the_model_thinks_are_handed_to_the_proof_too(
    before: tuple[str, ...], deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    join(deployed, *before)
    model.meanwhile = lambda: join(deployed, "orders-j1", "orders-j2")
    model.proposes()
    outcome = handler(STATE, lambda_context)
    assert said(model.requests[0]).count("<joined_incident") == len(before)
    assert handed_on(outcome) == ["orders-j1", "orders-j2"]
    join(deployed, "orders-j1", "orders-j2", "orders-j3")
    assert handler(STATE, lambda_context) == outcome, "told once, whatever is retried later"


def test_an_app_past_its_budget_is_not_asked_for(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.register(daily_budget_usd=0.01)
    outcome = handler(STATE, lambda_context)
    assert outcome["outcome"] == "abstained"
    assert "budget of app 'orders'" in outcome["reason"]
    assert "daily_budget_usd" in outcome["next_action"]
    assert model.requests == []


def test_a_traceback_that_matches_no_file_costs_no_call(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.fetched({"billing/rates.py": SOURCE})
    outcome = handler(STATE, lambda_context)
    assert outcome["outcome"] == "abstained"
    assert "orders/rates.py line 6 in rate" in outcome["reason"]
    assert "source_roots" in outcome["next_action"]
    assert model.requests == []


def test_an_incident_that_another_execution_has_by_now_is_not_written_to(
    deployed: Deployed, model: Model, lambda_context: LambdaContext
) -> None:
    deployed.incident(execution="h2")
    model.proposes()
    assert handler(STATE, lambda_context)["outcome"] == "proposed"
    assert "attempts" not in deployed.item()


def test_logs_hold_neither_source_nor_prompt_nor_answer(
    deployed: Deployed, model: Model, lambda_context: LambdaContext, capfd: pytest.CaptureFixture[str]
) -> None:
    model.proposes()
    handler(STATE, lambda_context)
    logged = "".join(capfd.readouterr())
    assert '"outcome":"proposed"' in logged
    for private in ("RATES", "KeyError", "Charge a default", "No rate", "hunter2"):
        assert private not in logged


def test_a_server_of_the_apps_own_is_asked_instead_of_bedrock(
    deployed: Deployed, httpserver: HTTPServer, lambda_context: LambdaContext
) -> None:
    function = {"name": "propose_patch", "arguments": json.dumps(PROPOSAL)}
    call = {"id": "c1", "type": "function", "function": function}
    body = {"choices": [{"message": {"tool_calls": [call]}}], "usage": {"prompt_tokens": 9}}
    httpserver.expect_request(
        "/v1/chat/completions", headers={"Authorization": "Bearer k-1"}
    ).respond_with_json(body)
    url = httpserver.url_for("")
    deployed.register(model="qwen", model_url=url, model_key=True, prices={"qwen": [1.0, 2.0]})
    deployed.keep("model/orders", bound("k-1", url.removeprefix("http://").rstrip("/")))
    outcome = handler(STATE, lambda_context)
    assert (outcome["outcome"], outcome["model"], outcome["model_note"]) == ("proposed", "qwen", "")
    (asked, _) = httpserver.log[0]
    assert asked.get_json()["model"] == "qwen"
