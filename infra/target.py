"""A deployed stack, on AWS or on this machine, as the commands and the embedded run reach it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import boto3

from functions.core.approval.approvals import Approvals
from functions.core.incidents.table import Incidents
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.errors import IncidentNotFound
from functions.core.workflow.switch import Switch
from infra.errors import Exit, UserError
from infra.names import DEFAULT, Names
from infra.nearest import unknown

if TYPE_CHECKING:
    from functions.core.apps.registry import Registry
    from functions.core.incidents.incident import Incident


OUTPUTS = (
    *("StateMachineArn", "IncidentsTable", "DeliveriesTable", "ApprovalsTable", "ArtifactsBucket"),
    *("TopicArn", "PersonalTopicArn", "ApprovalUrl", "DetectErrorsArn", "TakeDecisionArn", "DataKeyArn"),
    *("FailedDetectionsUrl", "UnstartedHealsUrl", "UnreportedFailuresUrl"),
)
"""The stack outputs that commands read."""


@dataclass(frozen=True)
class Target:
    """A deployed stack and how to reach it; `outputs` are the stack's CloudFormation outputs."""

    session: boto3.Session
    outputs: dict[str, str]
    local: bool = False
    answered_by: str = ""
    """What really answers as every model, where that is not the model of the name: the embedded run's."""
    costs_nothing: bool = False
    """Whether what really answers is free."""
    names: Names = DEFAULT

    @property
    def flag(self) -> str:
        """What a suggested command must carry to act on this target again."""
        return (" --local" if self.local else "") + self.names.flag

    def output(self, name: str) -> str:
        """A stack output. Raises UserError when the deployed stack is too old to have it."""
        if name not in self.outputs:
            raise UserError(
                f"stack {self.names.stack} has no output {name}",
                f"deploy the stack again with this version: selfheal deploy{self.flag}",
                exit_code=Exit.BROKEN,
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

    @cached_property
    def registry(self) -> Registry:
        # Late: it loads Powertools, which most commands do without.
        from aws_lambda_powertools.utilities.parameters import SSMProvider

        from functions.core.apps.registry import Registry

        return Registry(self.names.registry, SSMProvider(boto3_client=self.session.client("ssm")))

    @cached_property
    def switch(self) -> Switch:
        """The one that stops all healing."""
        return Switch(self.names.switch, self.session.client("ssm"))

    def app_names(self) -> list[str]:
        """The names of all registered apps, those with a broken entry included."""
        return sorted(self.registry.entries())

    def incident(self, prefix: str) -> Incident:
        """The incident whose id is, or uniquely starts with, `prefix`. Raises UserError."""
        with suppress(IncidentNotFound):
            return self.incidents.get(prefix)
        ids = self.incidents.ids()
        found = [one for one in ids if one.startswith(prefix)]
        if not found:
            raise unknown("incident", prefix, ids, f"list them with: selfheal incidents{self.flag}")
        if len(found) > 1:
            names = ", ".join(sorted(found)[:5])
            raise UserError(
                f"{prefix!r} means {len(found)} incidents: {names}",
                "give more characters",
                exit_code=Exit.USAGE,
            )
        return self.incidents.get(found[0])
