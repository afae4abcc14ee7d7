"""Where the commands act: an AWS account, or the embedded run on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.cli import stages
from infra.errors import Exit, UserError
from infra.names import DEFAULT, Names
from infra.target import Target

if TYPE_CHECKING:
    from infra.local.run import EmbeddedRun


AFRESH = "start afresh: selfheal down --forget, then: selfheal up"
"""What brings back an embedded run whose stack was destroyed."""


def connect(local: bool) -> Target:
    """The embedded run if `local`, else the AWS account of the ordinary environment; of the command's stage.

    Raises UserError.
    """
    names = stages.names()
    if not local:
        here = place(local=False)
        return Target(here.session, _deployed(names, here), names=names)
    return embedded().target(names, _deployed(names, place(local=True), local=True))


@dataclass(frozen=True)
class Place:
    """An account and region, whether anything is deployed there or not.

    environment: of programs that are to act there.
    """

    session: boto3.Session
    environment: Mapping[str, str]

    def outputs(self, names: Names) -> dict[str, str]:
        """Of a deployment's stack; none where there is no such stack."""
        try:
            stacks = self.session.client("cloudformation").describe_stacks(StackName=names.stack)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return {}
            raise
        return {row["OutputKey"]: row["OutputValue"] for row in stacks[0].get("Outputs", [])}


def place(local: bool) -> Place:
    """Where a deployment is, or is to be. Raises UserError."""
    if not local:
        session = boto3.Session(region_name=region())
        chosen = {"AWS_REGION": session.region_name} if session.region_name else {}
        return Place(session, {**os.environ, **chosen})
    from infra.local import emulator

    run = embedded()
    return Place(run.session(), emulator.environment(run.endpoint))


def region() -> str | None:
    """`AWS_REGION`, as other SDKs and the CLI read it: boto3 reads AWS_DEFAULT_REGION alone."""
    return os.environ.get("AWS_REGION") or None


def embedded() -> EmbeddedRun:
    """The embedded run of this machine. Raises UserError where there is none."""
    from infra.local.run import find

    run = find()
    if run is None:
        raise UserError("no embedded run here", "start one with: selfheal up", exit_code=Exit.BROKEN)
    return run


def _deployed(names: Names, here: Place, local: bool = False) -> dict[str, str]:
    """The stack's outputs. Raises UserError where it cannot be read, or is not there."""
    try:
        outputs = here.outputs(names)
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"cannot read stack {names.stack}: {error}",
            "check AWS_PROFILE and AWS_REGION, or use --local for the embedded run",
            exit_code=Exit.BROKEN,
        ) from error
    if not outputs:
        flag = (" --local" if local else "") + names.flag
        deploy = f"deploy it: selfheal deploy{flag}"
        otherwise = f"{deploy}; or check AWS_PROFILE, AWS_REGION and --stage"
        raise UserError(
            f"there is no stack {names.stack} in {'the embedded run' if local else here.session.region_name}",
            (AFRESH if names == DEFAULT else deploy) if local else otherwise,
            exit_code=Exit.BROKEN,
        )
    return outputs
