"""Where the commands act: an AWS account, or the embedded run on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from functions.core.artifacts import Artifacts
from functions.core.incidents import Incidents
from infra.cli.errors import UserError

if TYPE_CHECKING:
    from functions.core.incident import Incident

STACK_NAME = "SelfHealingCode"
RUN_FILE = Path(".selfheal/run.json")


@dataclass(frozen=True)
class Target:
    """A deployed stack. `endpoint` is None on AWS; `outputs` are the stack's CloudFormation outputs."""

    session: boto3.Session
    endpoint: str | None
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client of this target; the service name decides its type."""
        return self.session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    def output(self, name: str) -> str:
        """A stack output. Raises UserError when the deployed stack is too old to have it."""
        if name not in self.outputs:
            raise UserError(
                f"stack {STACK_NAME} has no output {name}", "deploy the stack again with this version"
            )
        return self.outputs[name]

    @cached_property
    def incidents(self) -> Incidents:
        resource = self.session.resource("dynamodb", endpoint_url=self.endpoint)
        return Incidents(resource.Table(self.output("IncidentsTable")))

    @cached_property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.client("s3"), self.output("ArtifactsBucket"))

    def incident(self, prefix: str) -> Incident:
        """The incident whose id is, or uniquely starts with, `prefix`. Raises UserError."""
        found = [i for i in self.incidents.recent(limit=10_000) if i.incident_id.startswith(prefix)]
        exact = [i for i in found if i.incident_id == prefix]
        if exact:
            return exact[0]
        if not found:
            raise UserError(f"no incident {prefix!r}", "list them with: selfheal incidents")
        if len(found) > 1:
            names = ", ".join(i.incident_id for i in found[:5])
            raise UserError(f"{prefix!r} means {len(found)} incidents: {names}", "give more characters")
        return found[0]


def connect(local: bool) -> Target:
    """The embedded run if `local`, else the AWS account of the ordinary environment. Raises UserError."""
    return _embedded() if local else _aws()


def _embedded() -> Target:
    try:
        run = json.loads(RUN_FILE.read_text())
    except FileNotFoundError:
        raise UserError("no embedded run here", "start one with: make up") from None
    session = boto3.Session(
        aws_access_key_id=run["access_key_id"],
        aws_secret_access_key=run["secret_access_key"],
        region_name=run["region"],
    )
    return Target(session, run["endpoint"], run["outputs"])


def _aws() -> Target:
    session = boto3.Session()
    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"cannot read stack {STACK_NAME}: {error}",
            "check AWS_PROFILE and AWS_REGION, or use --local for the embedded run",
        ) from error
    outputs = {row["OutputKey"]: row["OutputValue"] for row in stacks[0].get("Outputs", [])}
    return Target(session, None, outputs)
