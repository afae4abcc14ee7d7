"""Everything about one approval that the page shows, gathered from the tables and the artifacts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from functions.core.approvals import Approval, Approvals, Verdict
from functions.core.artifacts import Artifacts
from functions.core.evidence import Evidence
from functions.core.heal import Heal
from functions.core.incident import Incident
from functions.core.incidents import Incidents
from functions.core.proposal import Proposal

# Each object costs a round trip of 10 to 30 ms; together they must not cost the page's 150 ms.
_PARALLEL = 8


class PatchChanged(Exception):
    """The stored patch is not the one that was proven: its hash differs. Nothing may be decided on it."""


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """A proposal of the same heal that did not get through, and why."""

    number: int
    title: str
    findings: tuple[str, ...]
    asked_by: str = ""
    comment: str = ""
    """What the reviewer asked for, when a human sent it back."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the proposal cost: tokens in and out, US dollars."""

    model: str
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
    usage: Usage | None
    earlier: tuple[EarlierAttempt, ...]


def load(approval: Approval, approvals: Approvals, incidents: Incidents, artifacts: Artifacts) -> Case:
    """Gather the case. Raises PatchChanged, IncidentNotFound, and what AWS raises."""
    heal = Heal(approval.incident_id, approval.app, approval.heal_id, approval.attempt)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        incident = pool.submit(incidents.get, approval.incident_id)
        proposal = pool.submit(artifacts.get_json, approval.proposal_key)
        evidence = pool.submit(artifacts.get_json, approval.evidence_key)
        patch = pool.submit(artifacts.get, approval.patch_key)
        history = pool.submit(approvals.history, approval.previous_id)
        earlier = pool.map(_reader(approval, heal, artifacts), range(1, approval.attempt))
        asked = {
            old.attempt: old
            for old in history.result()
            if old.decision == Verdict.REVISE and old.heal_id == approval.heal_id
        }
        body = patch.result()
        if hashlib.sha256(body).hexdigest() != approval.patch_sha256:
            raise PatchChanged(approval.patch_key)
        answer = proposal.result()
        return Case(
            approval=approval,
            incident=incident.result(),
            proposal=Proposal.from_json(answer),
            evidence=Evidence.from_json(evidence.result()),
            patch=body.decode(errors="backslashreplace"),
            usage=_usage(answer),
            earlier=tuple(_earlier(*found, asked.get(found[0])) for found in earlier),
        )


def _reader(approval: Approval, heal: Heal, artifacts: Artifacts) -> Callable[[int], tuple[int, Any, Any]]:
    # Every attempt's artifacts have the same names; only the attempt in the key differs.
    names = [key.rsplit("/", 1)[-1] for key in (approval.proposal_key, approval.evidence_key)]

    def read(number: int) -> tuple[int, Any, Any]:
        proposal, evidence = (artifacts.find_json(heal.attempt_key(name, number)) for name in names)
        return number, proposal, evidence

    return read


def _earlier(number: int, proposal: Any, evidence: Any, asked: Approval | None) -> EarlierAttempt:
    findings = Evidence.from_json(evidence).findings if evidence else ()
    return EarlierAttempt(
        number=number,
        title=str((proposal or {}).get("title") or "An answer that was not a usable patch"),
        findings=findings,
        asked_by=asked.by if asked else "",
        comment=asked.comment if asked else "",
    )


def _usage(answer: dict[str, Any]) -> Usage | None:
    if "model" not in answer:
        return None
    usage = answer.get("usage") or {}
    return Usage(
        model=str(answer["model"]),
        input_tokens=int(usage.get("input_tokens", 0)),
        output_tokens=int(usage.get("output_tokens", 0)),
        cost_usd=float(answer.get("cost_usd", 0)),
    )
