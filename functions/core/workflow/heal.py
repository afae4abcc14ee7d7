"""A heal: one execution of the workflow for one incident, and where its artifacts lie.

The state input that travels between the steps is small JSON of this shape (each step adds its own part):

    {"incident_id", "app", "heal_id", "attempt", "attempts_allowed", "comment", "follow_up", "second_opinion",
     "source":       {"key", "deployed_sha": what is read, and the error reproduced on;
                      "base_sha": the head of the app's branch, what is approved and committed on;
                      "head_key", "history_key": its source, and how it came there; "" where it is the same;
                      "earlier_key": the pull request that is followed up, or that did not last, "" for none;
                      "facts", "revision_from", "python": {"version", "why"}, "committed"},
     "dependencies": {"key", "reason", "packages"},
     "proposal":     {"outcome", "key", "title", "reason"},
     "validation":   {"verdict", "patch_key", "patch_sha256", "evidence_key", "reason", "questions": [
                      {"principle", "text", "where", "calls"}]}, or, before a run,
                     {"verdict": "deferred", "run" or "build": {"project", "bucket", "folder", "nonce",
                                                                  "experiment", "version"}},
     "review":       {"opinion", "summary", "key", "sent_back"}, for an app with a `review_model`,
     "run":          {"ended", "lane"} of the last run in the stack's own runner,
     "build":        {"arn", "log_url"} of the last build, for an app whose tests run in CodeBuild,
     "decision":     {"decision", "by", "comment", "reason", "patch_sha256", "base_sha", "approval_id",
                      "decided_at"},
     "proven":       {"attempt", "proposal", "validation", "review"} that people asked to be changed,
     "standing":     {"attempt", "why"} where nothing better than it could be proven, else {},
     "commit":       {"branch", "sha", "base_sha"}, or {"moved": what changes in `source`} where the head is
                     another one by now, on which the patch has to be proven,
     "pull_request": {"number", "url"}}

Keys of artifacts in it are references, which say what their bytes are: see `core.workflow.artifacts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

QUESTIONS = "questions.json"
"""Artifact of the attempt whose questions went back to the model."""
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

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read from the state input described above."""
        return cls(
            incident_id=state["incident_id"],
            app=state["app"],
            heal_id=state["heal_id"],
            attempt=int(state.get("attempt", 0)),
        )

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
