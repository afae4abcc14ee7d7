"""A heal: one execution of the workflow for one incident, and where its artifacts lie."""

from __future__ import annotations

from dataclasses import dataclass

INCIDENT_TAG, HEAL_TAG = "incident", "heal"
"""Tags of the session in which a step uses the artifacts of its heal: see `core.workflow.scoped`."""


@dataclass(frozen=True, slots=True)
class Heal:
    """The identity of a heal within the workflow; `attempt` counts model proposals from 1 (0: none yet)."""

    incident_id: str
    app: str
    heal_id: str
    """Name of the Step Functions execution."""
    attempt: int = 0

    @property
    def prefix(self) -> str:
        """Object key prefix of this heal's artifacts."""
        return f"{self.incident_id}/{self.heal_id}"

    def key(self, name: str) -> str:
        """Key of an artifact that is made once per heal, such as `source.tar.gz`."""
        return f"{self.prefix}/{name}"

    def attempt_key(self, name: str, attempt: int | None = None) -> str:
        """Key of an artifact of one attempt (this one unless another is named), such as `proposal.json`."""
        return f"{self.prefix}/{self.attempt if attempt is None else attempt}/{name}"
