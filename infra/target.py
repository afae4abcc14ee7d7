"""A deployed stack, on AWS or on this machine, as the commands and the embedded run reach it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3

from functions.core.approvals import Approvals
from functions.core.artifacts import Artifacts
from functions.core.incidents import Incidents
from infra.errors import UserError
from infra.names import STACK_NAME

if TYPE_CHECKING:
    from functions.core.incident import Incident


@dataclass(frozen=True)
class Target:
    """A deployed stack and how to reach it; `outputs` are the stack's CloudFormation outputs."""

    session: boto3.Session
    outputs: dict[str, str]
    local: bool = False

    @property
    def flag(self) -> str:
        """What a suggested command must carry to act on this target again."""
        return " --local" if self.local else ""

    def output(self, name: str) -> str:
        """A stack output. Raises UserError when the deployed stack is too old to have it."""
        if name not in self.outputs:
            raise UserError(
                f"stack {STACK_NAME} has no output {name}", "deploy the stack again with this version"
            )
        return self.outputs[name]

    @cached_property
    def incidents(self) -> Incidents:
        return Incidents(self.session.resource("dynamodb").Table(self.output("IncidentsTable")))

    @cached_property
    def approvals(self) -> Approvals:
        return Approvals(self.session.resource("dynamodb").Table(self.output("ApprovalsTable")))

    @cached_property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.session.client("s3"), self.output("ArtifactsBucket"))

    def incident(self, prefix: str) -> Incident:
        """The incident whose id is, or uniquely starts with, `prefix`. Raises UserError."""
        found = [i for i in self.incidents.recent(limit=10_000) if i.incident_id.startswith(prefix)]
        if any(i.incident_id == prefix for i in found):
            return self.incidents.get(prefix)
        if not found:
            raise UserError(f"no incident {prefix!r}", "list them with: selfheal incidents")
        if len(found) > 1:
            names = ", ".join(i.incident_id for i in found[:5])
            raise UserError(f"{prefix!r} means {len(found)} incidents: {names}", "give more characters")
        return self.incidents.get(found[0].incident_id)
