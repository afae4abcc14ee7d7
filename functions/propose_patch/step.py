"""ProposePatch within a heal: one attempt, asked for once, whatever is retried or redriven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from functions.core import archive
from functions.core.app import App
from functions.core.artifacts import Artifacts
from functions.core.errors import ModelAccessDenied, ModelThrottled, ModelUnavailable, PromptTooLong
from functions.core.heal import Heal
from functions.core.incident import Incident, Status
from functions.core.incidents import Incidents
from functions.core.proposal import Abstention, Proposal
from functions.core.redaction import redact, redact_values
from functions.core.spend import OverBudget
from functions.core.windows import Window, window_of
from functions.propose_patch.ask import Answer, Commits, request_for
from functions.propose_patch.context import Context
from functions.propose_patch.fit import Counts, Draft, Fitted, ask_fitting
from functions.propose_patch.prompt import EarlierAttempt, Prompt
from functions.propose_patch.repository import Repository

PROPOSAL, FINDINGS, PROMPT, ANSWER, OUTCOME = (
    "proposal.json",
    "findings.json",
    "prompt.json",
    "answer.json",
    "outcome.json",
)


_OTHERS_READ, _OTHERS_SHOWN = 200, 3


def propose(
    heal: Heal,
    source_key: str,
    comment: str,
    app: App,
    artifacts: Artifacts,
    incidents: Incidents,
    model: Counts,
    budget: Commits,
) -> dict[str, Any]:
    """The `proposal` part of the state: {"outcome", "key", "title", "reason", "next_action", "confidence",
    "input_tokens", "output_tokens", "cost_usd"}; outcome is "proposed", "abstained" or "invalid".

    `outcome.json` is written last: while it is there, the attempt is over and its answer not paid for again.
    Raises IncidentNotFound and what the model raises.
    """
    incident = incidents.get(heal.incident_id)
    outcome: dict[str, Any] | None = artifacts.find_json(heal.attempt_key(OUTCOME))
    if outcome is None:
        others = same_place(incident, incidents.recent(heal.app, limit=_OTHERS_READ))
        outcome = _attempt(heal, source_key, comment, app, incident, others, artifacts, model, budget)
        artifacts.put_json(heal.attempt_key(OUTCOME), outcome)
    _record(heal, incident, incidents, artifacts, outcome)
    return outcome


def _attempt(
    heal: Heal,
    source_key: str,
    comment: str,
    app: App,
    incident: Incident,
    others: Sequence[Incident],
    artifacts: Artifacts,
    model: Counts,
    budget: Commits,
) -> dict[str, Any]:
    repository = Repository(archive.read(artifacts.get(source_key)))
    draft = Draft(
        heal.heal_id,
        incident,
        repository,
        app.source_roots,
        _earlier(heal, artifacts),
        comment,
        others,
    )
    context = draft.context(window_of(app.model, app.context_window))
    if not context.parts:
        return _finish(heal, artifacts, nothing_to_show(context))
    try:
        answer, used = _ask(heal, app, draft, artifacts, model, budget)
    except OverBudget as error:
        return _finish(heal, artifacts, _over_budget(error))
    record = {"model": used, "responses": list(answer.responses), "sent": list(answer.sent)}
    artifacts.put_json(heal.attempt_key(ANSWER), redact_values(record))
    return _finish(heal, artifacts, answer.result, answer)


def _ask(
    heal: Heal,
    app: App,
    draft: Draft,
    artifacts: Artifacts,
    model: Counts,
    budget: Commits,
) -> tuple[Answer, str]:
    """The answer, and the id of the model that gave it: the app's, or else its fallbacks in their order.

    Raises what the app's own model raised when none answers, so that it is that one that is retried.
    """

    def keep(fitted: Fitted) -> None:
        artifacts.put_json(heal.attempt_key(PROMPT), fitted.to_json())

    failure: Exception | None = None
    for name in (app.model, *app.fallback_models):
        window = window_of(name, app.context_window)
        try:
            return ask_fitting(draft, model, budget, window, request_maker(app, name), keep), name
        except (ModelAccessDenied, ModelThrottled, ModelUnavailable, PromptTooLong) as error:
            failure = failure or error
    raise failure or AssertionError("an app has a model")


def request_maker(app: App, model: str) -> Callable[[Prompt, Window], dict[str, Any]]:
    """What makes requests for a model as the app has set it."""

    def make(prompt: Prompt, window: Window) -> dict[str, Any]:
        return request_for(
            model,
            prompt,
            temperature=app.temperature,
            guardrail=app.guardrail,
            answer_tokens=window.answer,
        )

    return make


def _finish(
    heal: Heal, artifacts: Artifacts, result: Proposal | Abstention | None, answer: Answer | None = None
) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "outcome": "invalid",
        "key": "",
        "title": "",
        "reason": "",
        "next_action": "",
        "confidence": 0.0,
        "input_tokens": answer.usage.input + answer.usage.cache_read + answer.usage.cache_write
        if answer
        else 0,
        "output_tokens": answer.usage.output if answer else 0,
        "cost_usd": round(answer.cost_usd, 6) if answer else 0.0,
    }
    if result is None:
        violations = [redact(violation) for violation in answer.violations] if answer else []
        artifacts.put_json(
            heal.attempt_key(FINDINGS), {"findings": [f"answer: {violation}" for violation in violations]}
        )
        return outcome | {
            "reason": f"The model's answer could not be used: {'; '.join(violations)}.",
            "next_action": "Look at the attempt's prompt and answer; repair by hand, or use another model.",
        }
    key = artifacts.put_json(heal.attempt_key(PROPOSAL), result.to_json())
    if isinstance(result, Abstention):
        reason = redact(f"{result.abstention_class}: {result.reason}")
        return outcome | {
            "outcome": "abstained",
            "key": key,
            "reason": reason[:2000],
            "next_action": redact(result.next_action)[:2000],
        }
    return outcome | {
        "outcome": "proposed",
        "key": key,
        "title": redact(result.title),
        "reason": redact(result.root_cause)[:2000],
        "confidence": result.confidence,
    }


def _earlier(heal: Heal, artifacts: Artifacts) -> list[EarlierAttempt]:
    """The attempts before this one, oldest first, with what the gates found against them."""
    attempts = []
    for number in range(1, heal.attempt):
        proposal = artifacts.find_json(heal.attempt_key(PROPOSAL, number))
        findings = artifacts.find_json(heal.attempt_key(FINDINGS, number)) or {"findings": []}
        if proposal is not None or findings["findings"]:
            attempts.append(EarlierAttempt(number, proposal, tuple(findings["findings"])))
    return attempts


def same_place(incident: Incident, others: Sequence[Incident]) -> list[Incident]:
    """Of these incidents, the latest that failed in the same function of the same file."""
    place = _place(incident)
    same = (other for other in others if other.incident_id != incident.incident_id)
    return [other for other in same if place and _place(other) == place][:_OTHERS_SHOWN]


def _place(incident: Incident) -> tuple[str, str | None] | None:
    own = [frame for frame in incident.frames if frame.in_app]
    return (own[-1].file, own[-1].function) if own else None


def nothing_to_show(context: Context) -> Abstention:
    """The abstention where no frame leads to source: there is nothing to ask about."""
    mapping = "; ".join(context.left_out) or "none of its frames is in the app's own code"
    return Abstention(
        abstention_class="not_enough_context",
        reason=f"The traceback could not be matched to the repository: {mapping}.",
        files_looked_at=(),
        next_action="Check the app's 'source_roots' and 'packages', and that the right repository is set.",
    )


def _over_budget(error: OverBudget) -> Abstention:
    return Abstention(
        abstention_class="configuration",
        reason=f"No call was made: {error}.",
        files_looked_at=(),
        next_action="Raise the app's 'daily_budget_usd', or start the heal again after midnight UTC.",
    )


def _record(
    heal: Heal, incident: Incident, incidents: Incidents, artifacts: Artifacts, outcome: dict[str, Any]
) -> None:
    """Attempts and cost of this heal, as totals, so that recording twice changes nothing."""
    if incident.execution_arn.rsplit(":", 1)[-1] != heal.heal_id:
        return  # another execution has the incident by now
    earlier = (artifacts.find_json(heal.attempt_key(OUTCOME, number)) for number in range(1, heal.attempt))
    cost = outcome["cost_usd"] + sum(record["cost_usd"] for record in earlier if record)
    incidents.advance(
        heal.incident_id,
        incident.execution_arn,
        status=str(Status.HEALING),
        attempts=heal.attempt,
        cost_usd=Decimal(str(round(cost, 6))),
    )
