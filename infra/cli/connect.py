"""Where the commands act: an AWS account, or the embedded run on this machine."""

from __future__ import annotations

import os

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import Exit, UserError
from infra.names import STACK_NAME
from infra.target import Target


def connect(local: bool) -> Target:
    """The embedded run if `local`, else the AWS account of the ordinary environment. Raises UserError."""
    return _embedded() if local else _aws()


def region() -> str | None:
    """`AWS_REGION`, as other SDKs and the CLI read it: boto3 reads AWS_DEFAULT_REGION alone."""
    return os.environ.get("AWS_REGION") or None


def _embedded() -> Target:
    from infra.local.run import find

    run = find()
    if run is None:
        raise UserError("no embedded run here", "start one with: make up", exit_code=Exit.BROKEN)
    return run.target()


def _aws() -> Target:
    session = boto3.Session(region_name=region())
    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"cannot read stack {STACK_NAME}: {error}",
            "check AWS_PROFILE and AWS_REGION, or use --local for the embedded run",
            exit_code=Exit.BROKEN,
        ) from error
    outputs = {row["OutputKey"]: row["OutputValue"] for row in stacks[0].get("Outputs", [])}
    return Target(session, outputs)
