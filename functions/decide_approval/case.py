"""Everything about one approval that the page shows, gathered from the tables and the artifacts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

from functions.core.approval.approvals import Approval, Approvals, Verdict
from functions.core.incidents.frequency import Stretch
from functions.core.incidents.incident import Incident
from functions.core.incidents.table import Incidents
from functions.core.workflow.artifacts import Artifact, Artifacts
from functions.core.workflow.errors import ArtifactChanged
from functions.core.workflow.evidence import Evidence
from functions.core.workflow.heal import Heal
from functions.core.workflow.origin import Origin
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.review import Review, read_review
from functions.decide_approval.overlaps import Overlap, overlaps

# Each object costs a round trip of 10 to 30 ms; together they must not cost the page's 150 ms.
_PARALLEL = 10
_LOOKED_AT, _SHOWN = 100, 5


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A proposal of the same heal that did not get through, and why."""

    number: int
    title: str
    findings: tuple[str, ...]
    asked_by: str = ""
    comment: str = ""
    """What the reviewer asked for, when a human sent it back."""


@dataclass(frozen=True, slots=True)
class ProposalCost:
    """What the proposal cost: tokens in and out, US dollars."""

    model: str
    note: str
    """Why it was not the app's own model, or what that one was asked without; "" when all went as set."""
    answered_by: str
    """What really answered, where the model's name does not say it."""
    input_tokens: int
    output_tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Case:
    """The incident, the patch and the evidence, as the approver sees them."""

    approval: Approval
    incident: Incident
    proposal: Proposal
    evidence: Evidence
    patch: str
    usage: ProposalCost | None
    others: tuple[FailedAttempt, ...]
    """The heal's attempts that are not asked about: before it, or after it and no better."""
    review: Review | None = None
    """A second opinion on the patch, where the app has somebody asked for it."""
    origin: Origin | None = None
    frequency: tuple[Stretch, ...] = ()
    alike: tuple[Incident, ...] = ()
    """Other incidents of the app that come from the same place, or say the same; the latest first."""
    overlaps: tuple[Overlap, ...] = ()
    """Open fixes of other incidents that touch what this patch touches."""


def load(approval: Approval, approvals: Approvals, incidents: Incidents, artifacts: Artifacts) -> Case:
    """Gather the case. Raises ArtifactChanged, IncidentNotFound, and what AWS raises."""
    heal = Heal(approval.incident_id, approval.app, approval.heal_id, approval.of_attempt)

    def of_attempt(name: str, number: int) -> Any:
        return artifacts.find_json(heal.attempt_key(name, number)) or {}

    with ThreadPoolExecutor(_PARALLEL) as pool:
        incident = pool.submit(incidents.get, approval.incident_id)
        proposal = pool.submit(artifacts.get_json, approval.proposal_key)
        evidence = pool.submit(artifacts.get_json, approval.evidence_key)
        patch = pool.submit(artifacts.get, approval.patch_key)
        outcome = pool.submit(of_attempt, Artifact.OUTCOME, approval.of_attempt)
        prompt = pool.submit(of_attempt, Artifact.PROMPT, approval.of_attempt)
        review = pool.submit(read_review, artifacts, approval.review_key)
        history = pool.submit(approvals.history, approval.previous_id)
        origin = pool.submit(artifacts.find_json, heal.key(Artifact.ORIGIN))
        frequency = pool.submit(incidents.frequency.of, approval.incident_id)
        others = pool.submit(incidents.recent, approval.app, _LOOKED_AT)
        numbers = [n for n in range(1, approval.attempt + 1) if n != approval.of_attempt]
        proposals = pool.map(of_attempt, repeat(Artifact.PROPOSAL), numbers)
        findings = pool.map(of_attempt, repeat(Artifact.FINDINGS), numbers)
        body = patch.result()
        if hashlib.sha256(body).hexdigest() != approval.patch_sha256:
            raise ArtifactChanged(f"{approval.patch_key} is not the patch that was asked about")
        asked = {old.of_attempt: old for old in history.result() if _asked(old, heal)}
        return Case(
            approval=approval,
            incident=incident.result(),
            proposal=Proposal.from_json(proposal.result()),
            evidence=Evidence.from_json(evidence.result()),
            patch=body.decode(errors="backslashreplace"),
            usage=_usage(outcome.result(), prompt.result()),
            review=review.result(),
            origin=Origin.from_json(found) if (found := origin.result()) else None,
            frequency=frequency.result(),
            alike=alike(incident.result(), others.result()),
            overlaps=overlaps(approval, body, others.result(), approvals, artifacts, pool),
            others=tuple(
                _other(number, before, found.get("findings", ()), asked.get(number))
                for number, before, found in zip(numbers, proposals, findings, strict=True)
            ),
        )


def alike(incident: Incident, others: Sequence[Incident]) -> tuple[Incident, ...]:
    """Of the others, those that fail in the same function or say the same, as many as people look at."""
    same = (
        other
        for other in others
        if other.incident_id != incident.incident_id
        and ((incident.place and other.place == incident.place) or other.title == incident.title)
    )
    return tuple(islice(same, _SHOWN))


def _asked(old: Approval, heal: Heal) -> bool:
    return old.decision == Verdict.REVISE and old.heal_id == heal.heal_id


def _other(
    number: int, proposal: dict[str, Any], findings: Sequence[str], asked: Approval | None
) -> FailedAttempt:
    return FailedAttempt(
        number=number,
        title=str(proposal.get("title") or "An answer that was not a usable patch"),
        findings=tuple(findings),
        asked_by=asked.by if asked else "",
        comment=asked.comment if asked else "",
    )


def _usage(outcome: dict[str, Any], prompt: dict[str, Any]) -> ProposalCost | None:
    """What ProposePatch noted; None when it noted nothing."""
    if "cost_usd" not in outcome:
        return None
    return ProposalCost(
        model=str(outcome.get("model") or prompt.get("model") or "unknown"),
        note=str(outcome.get("model_note") or ""),
        answered_by=str(outcome.get("answered_by") or ""),
        input_tokens=int(outcome.get("input_tokens", 0)),
        output_tokens=int(outcome.get("output_tokens", 0)),
        cost_usd=float(outcome["cost_usd"]),
    )
