"""How the head of an app's branch came there from another commit, so that what mended it can be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from functions.core.workflow.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class Step:
    """A commit of the branch; was: file that it changed → text before it, None where there was none."""

    sha: str
    author: str
    date: str
    subject: str
    was: Mapping[str, str | None]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**data)

    @property
    def said(self) -> str:
        return f"{self.sha[:12]} by {self.author} on {self.date[:10]}: {self.subject}"


@dataclass(frozen=True, slots=True)
class History:
    """How the head came there from the deployed revision: see `functions.core.source.head.Head`."""

    steps: tuple[Step, ...]
    unknown: str

    @classmethod
    def load(cls, artifacts: Artifacts, reference: str) -> Self:
        data = artifacts.get_json(reference)
        return cls(tuple(map(Step.from_json, data["steps"] or ())), data["unknown"])

    def fixed_by(self, number: int, head: str) -> dict[str, str]:
        """The commit since which the error is gone. number: see `proof.Proof.fixed_by`."""
        if not number:
            return {"sha": head, "date": "", "said": f"{head[:12]} or a commit before it ({self.unknown})"}
        step = self.steps[number - 1]
        return {"sha": step.sha, "date": step.date, "said": step.said}
