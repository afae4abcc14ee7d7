"""ProposePatch within a heal: one attempt, asked for once, whatever is retried or redriven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from functions.core.apps.app import App
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident, Status
from functions.core.incidents.table import Incidents
from functions.core.model.adapted import Adapted
from functions.core.model.budget import Commits, OverBudget
from functions.core.model.failover import Answered, first_to_answer
from functions.core.model.journal import Journal
from functions.core.model.limits import Window, window_of
from functions.core.model.port import LanguageModel
from functions.core.model.prices import Prices, Usage
from functions.core.model.requests import RequestOptions
from functions.core.model.time_left import TimeLeft
from functions.core.source import archive, engine
from functions.core.source.python import Python
from functions.core.untrusted.redaction import redact
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.heal import Heal
from functions.core.workflow.joined import MOST_NAMED, MOST_REPRODUCED, keep
from functions.core.workflow.proposal import Abstention, Proposal
from functions.core.workflow.review import spent_usd
from functions.core.workflow.state import HealState, ProposalState
from functions.propose_patch.ask import ModelAnswer, request_for
from functions.propose_patch.context import Context
from functions.propose_patch.fit import Fitted, PromptParts, ask_fitting
from functions.propose_patch.prompt import EarlierAttempt, Prompt
from functions.propose_patch.repository import SourceTree

_OTHERS_READ, _OTHERS_SHOWN = 200, 3
_NOTE_LIMIT = 1_000


def run(state: HealState, deployment: Deployment) -> ProposalState:
    """One attempt. Answers are written before they are judged, and `outcome.json` last: nothing is paid for
    twice. Raises IncidentNotFound and what the model raises.
    """
    heal, incidents = state.heal, deployment.incidents
    app = deployment.registry.app(heal.app)
    artifacts, model = deployment.artifacts_of(heal), deployment.model(app)
    incident = incidents.get(heal.incident_id)
    outcome = artifacts.find_json(heal.attempt_key(Artifact.OUTCOME))
    if outcome is None:
        app = replace(app, model=app.model_in(deployment.region))
        # The index holds what lists show; of those that joined, the whole occurrence is shown.
        joined = incidents.joined_with(incident, MOST_NAMED)[:MOST_REPRODUCED]
        others = [*joined, *telling(incident, incidents.recent(heal.app, limit=_OTHERS_READ))]
        budget, time = deployment.budget(app), deployment.time
        told = _attempt(state, app, incident, others, artifacts, model, budget, time)
        outcome = _with_joined(told, heal, incidents, artifacts).to_state()
        artifacts.put_json(heal.attempt_key(Artifact.OUTCOME), outcome)
    _record(heal, incident, incidents, artifacts)
    return ProposalState.from_json(outcome)


def _attempt(
    state: HealState,
    app: App,
    incident: Incident,
    others: Sequence[Incident],
    artifacts: Artifacts,
    model: LanguageModel,
    budget: Commits,
    time: TimeLeft,
) -> ProposalState:
    heal, python = state.heal, state.source.python
    repository = SourceTree(archive.read(artifacts.get(state.source.key)))
    draft = PromptParts(
        heal.heal_id,
        incident,
        repository,
        app.source_roots,
        _earlier(heal, artifacts),
        state.comment,
        others,
        python.version,
        artifacts.get_json(earlier) if (earlier := state.source.earlier_key) else None,
    )
    context = draft.context(window_of(app.model, app.context_window, app.answer_tokens))
    if not context.parts:
        return _finish(heal, artifacts, nothing_to_show(context))
    if abstention := unreadable([context.parts[0].path], repository, python):
        return _finish(heal, artifacts, abstention)
    journal = Journal(
        artifacts.find_json(heal.attempt_key(Artifact.ANSWER)),
        lambda said: artifacts.put_json(heal.attempt_key(Artifact.ANSWER), said),
        Prices(app.prices),
    )
    adapted = Adapted(
        model,
        artifacts.find_json(heal.key(Artifact.REFUSED)),
        lambda refused: artifacts.put_json(heal.key(Artifact.REFUSED), refused),
    )
    try:
        asked = _ask(heal, app, draft, artifacts, adapted, budget, time, journal)
    except OverBudget as error:
        outcome = _finish(heal, artifacts, _over_budget(heal, error, journal), journal)
        return replace(outcome, held_until=error.ends_at)
    result = asked.answer.result
    if isinstance(result, Abstention):
        result = _standing(heal, artifacts) or result
    if isinstance(result, Proposal):
        result = unreadable([edit.path for edit in result.edits], repository, python) or result
    outcome = _finish(heal, artifacts, result, journal, asked.answer.violations)
    return replace(outcome, model=asked.model, model_note=model_note(asked, adapted))


def _with_joined(
    told: ProposalState, heal: Heal, incidents: Incidents, artifacts: Artifacts
) -> ProposalState:
    """With the reference to the incidents that have to be mended, too, as ValidatePatch reads them: also
    those that joined while the model thought, which its prompt could not tell of."""
    joined = incidents.joined_with(incidents.get(heal.incident_id), MOST_NAMED)
    return replace(told, joined_key=keep(joined, heal, artifacts)) if joined else told


def _standing(heal: Heal, artifacts: Artifacts) -> Proposal | None:
    """The patch before this attempt, if all that was against it is a question: a model that has nothing
    better leaves it to people to answer."""
    before = heal.attempt - 1
    if before < 1 or not artifacts.find_json(heal.attempt_key(Artifact.QUESTIONS, before)):
        return None
    return Proposal.from_json(artifacts.get_json(heal.attempt_key(Artifact.PROPOSAL, before)))


def _ask(
    heal: Heal,
    app: App,
    draft: PromptParts,
    artifacts: Artifacts,
    model: Adapted,
    budget: Commits,
    time: TimeLeft,
    journal: Journal,
) -> Answered[ModelAnswer]:
    """The answer of the app's model, or else of its fallbacks in their order: also where it was cut off, for
    which another may have room."""

    def keep(fitted: Fitted) -> None:
        artifacts.put_json(heal.attempt_key(Artifact.PROMPT), fitted.to_json())

    def ask(name: str) -> ModelAnswer:
        window = window_of(name, app.context_window, app.answer_tokens)
        make = request_maker(name, RequestOptions.of(app, heal))
        return ask_fitting(draft, model, budget, window, make, keep, journal, name)

    def lacks(answer: ModelAnswer) -> str:
        return "; ".join(answer.violations) if answer.cut_off else ""

    return first_to_answer((app.model, *app.fallback_models), ask, time, journal.resumes_with, lacks)


def request_maker(model: str, options: RequestOptions) -> Callable[[Prompt, Window], dict[str, Any]]:
    """What makes requests for a model as the app has set it."""
    return lambda prompt, window: request_for(model, prompt, options, window.answer)


def model_note(asked: Answered[Any], adapted: Adapted) -> str:
    """What people should know of how a model was asked; "" when all went as the app has set it."""
    without = adapted.refused_by(asked.model)
    notes = [*asked.passed_over, f"asked without {', '.join(without)}, which it refused" if without else ""]
    return redact("; ".join(filter(None, notes)))[:_NOTE_LIMIT]


def _finish(
    heal: Heal,
    artifacts: Artifacts,
    result: Proposal | Abstention | None,
    journal: Journal | None = None,
    violations: Sequence[str] = (),
) -> ProposalState:
    usage = journal.usage if journal else Usage()
    outcome = ProposalState(
        outcome="invalid",
        confidence=0.0,
        input_tokens=usage.prompt,
        output_tokens=usage.output,
        cost_usd=round(journal.cost_usd, 6) if journal else 0.0,
        answered_by=journal.answered_by if journal else "",
    )
    if result is None:
        violations = [redact(violation) for violation in violations]
        artifacts.put_json(
            heal.attempt_key(Artifact.FINDINGS),
            {"findings": [f"answer: {violation}" for violation in violations]},
        )
        return replace(
            outcome,
            reason=f"The model's answer could not be used: {'; '.join(violations)}.",
            next_action="Look at the attempt's prompt and answer; repair by hand, or use another model.",
        )
    key = artifacts.put_json(heal.attempt_key(Artifact.PROPOSAL), result.to_json())
    if isinstance(result, Abstention):
        reason = redact(f"{result.abstention_class}: {result.reason}")
        return replace(
            outcome, outcome="abstained", key=key, reason=reason, next_action=redact(result.next_action)
        )
    return replace(
        outcome,
        outcome="proposed",
        key=key,
        title=redact(result.title),
        reason=redact(result.root_cause),
        confidence=result.confidence,
    )


def _earlier(heal: Heal, artifacts: Artifacts) -> list[EarlierAttempt]:
    """The attempts before this one, oldest first, with what the gates found against them."""
    attempts = []
    for number in range(1, heal.attempt):
        proposal = artifacts.find_json(heal.attempt_key(Artifact.PROPOSAL, number))
        findings = artifacts.find_json(heal.attempt_key(Artifact.FINDINGS, number)) or {"findings": []}
        if proposal is not None or findings["findings"]:
            attempts.append(EarlierAttempt(number, proposal, tuple(findings["findings"])))
    return attempts


def telling(incident: Incident, others: Sequence[Incident]) -> list[Incident]:
    """Of these incidents, the latest that failed in the same function of the same file, and the latest whose
    patch somebody refused."""
    rest = [other for other in others if other.incident_id not in (incident.incident_id, *incident.joined)]
    same = [other for other in rest if incident.place and other.place == incident.place][:_OTHERS_SHOWN]
    refused = [other for other in rest if other.status is Status.REJECTED and other not in same]
    return [*same, *refused[:_OTHERS_SHOWN]]


def nothing_to_show(context: Context) -> Abstention:
    """The abstention where no frame leads to source: there is nothing to ask about."""
    mapping = "; ".join(context.left_out) or "none of its frames is in the app's own code"
    return Abstention(
        abstention_class="not_enough_context",
        reason=f"The traceback could not be matched to the repository: {mapping}.",
        files_looked_at=(),
        next_action="Check the app's 'source_roots' and 'packages', and that the right repository is set.",
    )


def unreadable(paths: Iterable[str], repository: SourceTree, python: Python) -> Abstention | None:
    """The abstention where a file that failed, or is to be changed, is of a Python that is newer than this
    system's own: its patch could not be judged."""
    for path in paths:
        text = repository.text(path) if path.endswith(".py") else None
        if text is not None and (why := engine.too_new(path, text, python)):
            return Abstention(
                abstention_class="configuration",
                reason=f"A patch could not be judged: {why}.",
                files_looked_at=(path,),
                next_action=engine.what_to_do(python),
            )
    return None


def _over_budget(heal: Heal, error: OverBudget, journal: Journal) -> Abstention:
    made = len(journal.responses)
    wait = f"Nothing: seen again on the next {error.period.word} (UTC), it is healed. Or raise the budget"
    wait = wait if error.ends_at else "One call costs more than the budget: raise it"
    calls = "No call was made" if not made else f"After {made} call{'s' if made > 1 else ''} no more was made"
    return Abstention(
        abstention_class="configuration",
        reason=f"{calls}: {error}.",
        files_looked_at=(),
        next_action=f"{wait}: selfheal configure {heal.app} --set {error.period.field}=USD, then: selfheal"
        f" retry {heal.incident_id}",
    )


def _record(heal: Heal, incident: Incident, incidents: Incidents, artifacts: Artifacts) -> None:
    """Attempts and cost of this heal, as totals, so that recording twice changes nothing."""
    if incident.execution_arn.rsplit(":", 1)[-1] != heal.heal_id:
        return  # another execution has the incident by now
    incidents.advance(
        heal.incident_id,
        incident.execution_arn,
        status=str(Status.HEALING),
        attempts=heal.attempt,
        cost_usd=Decimal(str(round(spent_usd(artifacts, heal), 6))),
    )
