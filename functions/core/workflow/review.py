"""A second opinion: what another model thinks of a patch that is proven, as approvers and reviewers see
it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.heal import Heal

REVIEW = "review.json"
"""Of an attempt."""


class Opinion(StrEnum):
    """What a reviewer says. NONE: it could not, or did not want to, say anything; never shown as
    agreement."""

    AGREES = "agrees"
    OBJECTS = "objects"
    NONE = "no_opinion"


SAID = {
    Opinion.AGREES: "It agrees",
    Opinion.OBJECTS: "It objects",
    Opinion.NONE: "It has no opinion",
}


@dataclass(frozen=True, slots=True)
class Review:
    """An opinion by a model, in words that are redacted; would_check: what it would look at before
    approving."""

    opinion: Opinion
    model: str
    reasons: tuple[str, ...]
    would_check: tuple[str, ...] = ()
    sent_back: bool = False
    """Its objection went back to the first model as a finding."""
    cost_usd: float = 0.0

    @property
    def summary(self) -> str:
        """One sentence."""
        reasons = "; ".join(self.reasons)
        return f"{SAID[self.opinion]}" + (f": {reasons}" if reasons else ".")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            opinion=Opinion(data["opinion"]),
            model=str(data["model"]),
            reasons=tuple(data["reasons"]),
            would_check=tuple(data.get("would_check", ())),
            sent_back=bool(data.get("sent_back", False)),
            cost_usd=float(data.get("cost_usd", 0.0)),
        )


def read_review(artifacts: Artifacts, reference: str) -> Review | None:
    """The review that is referred to, as the state's `review` part tells it; None where nobody reviewed.

    Raises ArtifactChanged.
    """
    return Review.from_json(artifacts.get_json(reference)) if reference else None


def find_review(artifacts: Artifacts, heal: Heal, attempt: int | None = None) -> Review | None:
    """What ReviewPatch left of an attempt (this one unless another is named); None where nobody reviewed."""
    data = artifacts.find_json(heal.attempt_key(REVIEW, attempt))
    return Review.from_json(data) if data else None


def spent_usd(artifacts: Artifacts, heal: Heal) -> float:
    """What the attempts up to this one have cost, reviews included, as they have recorded it."""
    numbers = range(1, heal.attempt + 1)
    names = ("outcome.json", REVIEW)
    records = (artifacts.find_json(heal.attempt_key(name, number)) for number in numbers for name in names)
    return sum(float(record["cost_usd"]) for record in records if record)
