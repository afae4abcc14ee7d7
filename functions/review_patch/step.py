"""ReviewPatch within a heal: one opinion on one attempt, paid for once, whatever is retried or redriven."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Status
from functions.core.incidents.table import Incidents
from functions.core.model.adapted import Adapted
from functions.core.model.budget import Commits, OverBudget
from functions.core.model.conversation import content_of, repair
from functions.core.model.exchange import Exchange
from functions.core.model.failover import FAILED
from functions.core.model.journal import Journal, Talk
from functions.core.model.limits import Window, window_of
from functions.core.model.port import LanguageModel
from functions.core.model.prices import Prices
from functions.core.model.requests import RequestOptions, request_of
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.errors import ModelThrottled, ModelUnavailable
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal
from functions.core.workflow.review import Opinion, Review, find_review, spent_usd
from functions.core.workflow.state import HealState, ReviewState
from functions.review_patch.prompt import SCHEMA, TOOL, sections_for, system_for

_DESCRIPTION = "Say what you think of the patch."
_REPAIRS = 1


def run(state: HealState, deployment: Deployment) -> ReviewState:
    """An objection goes back to the first model once in a heal, as a finding; the next one stands beside the
    question. A model that cannot be asked has no opinion, and says why: nobody waits for it. Raises
    IncidentNotFound and, but for the last try, ModelThrottled and ModelUnavailable.
    """
    heal, incidents = state.heal, deployment.incidents
    artifacts = deployment.artifacts_of(heal)
    review = find_review(artifacts, heal)
    if review is None:
        app = deployment.registry.app(heal.app)
        evidence = Evidence.from_json(artifacts.get_json(state.validation.evidence_key))
        patch = artifacts.get(state.validation.patch_key).decode(errors="replace")
        model, budget = deployment.model(app), deployment.budget(app)
        passing = () if state.last_try else (ModelThrottled, ModelUnavailable)
        review = _reviewed(heal, app, patch, evidence, artifacts, incidents, model, budget, passing)
        if review.opinion is Opinion.OBJECTS and not _objected_before(heal, artifacts):
            review = replace(review, sent_back=True)
            found = [*evidence.findings, *(f"second opinion: {reason}" for reason in review.reasons)]
            artifacts.put_json(heal.attempt_key(Artifact.FINDINGS), {"findings": found})
    # Also where it was there: the same bytes again, to have their reference.
    key = artifacts.put_json(heal.attempt_key(Artifact.REVIEW), review.to_json())
    _record_cost(heal, artifacts, incidents)
    return ReviewState(str(review.opinion), review.summary, key, review.sent_back, review.cost_usd)


def _reviewed(
    heal: Heal,
    app: App,
    patch: str,
    evidence: Evidence,
    artifacts: Artifacts,
    incidents: Incidents,
    model: LanguageModel,
    budget: Commits,
    passing: tuple[type[Exception], ...],
) -> Review:
    """passing: what is raised, to be tried again."""
    journal = Journal(
        artifacts.find_json(heal.attempt_key(Artifact.REVIEW_ANSWER)),
        lambda said: artifacts.put_json(heal.attempt_key(Artifact.REVIEW_ANSWER), said),
        Prices(app.prices),
    )
    adapted = Adapted(
        model,
        artifacts.find_json(heal.key(Artifact.REFUSED)),
        lambda refused: artifacts.put_json(heal.key(Artifact.REFUSED), refused),
    )
    window = window_of(app.review_model, app.context_window, app.answer_tokens)

    def first() -> dict[str, Any]:
        shown = sections_for(heal.heal_id, incidents.get(heal.incident_id), patch, evidence)
        text = "\n".join(part.text for part in shown)
        tools = {TOOL: (_DESCRIPTION, SCHEMA)}
        options = replace(RequestOptions.of(app, heal), an_hour=False)
        return request_of(
            app.review_model, system_for(heal.heal_id), (text, ""), tools, options, window.answer
        )

    talk = journal.open(app.review_model, first)
    try:
        data = _ask(adapted, budget, talk, window)
    except passing:
        raise
    except (*FAILED, OverBudget) as error:
        review = Review(Opinion.NONE, app.review_model, (f"it could not be asked: {redact(str(error))}",))
    else:
        review = _review(app.review_model, data)
    return replace(review, cost_usd=round(journal.cost_usd, 6))


def _ask(model: Adapted, budget: Commits, talk: Talk, window: Window) -> dict[str, Any] | str:
    """The opinion as the tool takes it, or what was wrong with the last answer."""
    exchange, request, repaired = Exchange(model, budget, talk, window), talk.request, 0
    while True:
        response = exchange.answered(request)
        if response.get("stopReason") == "max_tokens":
            return "it was cut off at the token limit"
        given = _judged(response)
        if isinstance(given, dict) or repaired == _REPAIRS:
            return given
        repaired += 1
        request = {**request, "messages": repair(talk.model, request["messages"], response, (given,))}


def _judged(response: dict[str, Any]) -> dict[str, Any] | str:
    import fastjsonschema

    calls = [block["toolUse"] for block in content_of(response) if "toolUse" in block]
    if len(calls) != 1 or calls[0].get("name") != TOOL or response.get("stopReason") != "tool_use":
        return f"call {TOOL} exactly once"
    try:
        data: dict[str, Any] = _validator()(calls[0].get("input"))
    except fastjsonschema.JsonSchemaValueException as error:
        return re.sub("^data", "input", str(error.message))[:300]
    return data


@cache
def _validator() -> Any:
    import fastjsonschema

    return fastjsonschema.compile(SCHEMA)


def _review(model: str, data: dict[str, Any] | str) -> Review:
    if isinstance(data, str):
        return Review(Opinion.NONE, model, (f"its answer could not be used: {redact(data)}",))
    return Review(
        Opinion(data["opinion"]),
        model,
        tuple(map(redact, data["reasons"])),
        tuple(map(redact, data["would_check"])),
    )


def _objected_before(heal: Heal, artifacts: Artifacts) -> bool:
    earlier = (find_review(artifacts, heal, number) for number in range(1, heal.attempt))
    return any(review.sent_back for review in earlier if review)


def _record_cost(heal: Heal, artifacts: Artifacts, incidents: Incidents) -> None:
    incident = incidents.get(heal.incident_id)
    if incident.execution_arn.rsplit(":", 1)[-1] == heal.heal_id:
        cost = Decimal(str(round(spent_usd(artifacts, heal), 6)))
        incidents.advance(heal.incident_id, incident.execution_arn, status=str(Status.HEALING), cost_usd=cost)
