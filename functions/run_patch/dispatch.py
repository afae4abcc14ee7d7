"""Hands a job to the runner: two signed addresses, and an execution environment that no other run ever has.

The runner's own role may do nothing. What it is given is the address of its job, to read, and of its report,
to write, for one run.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from functions.core.workflow.errors import RunnerUnavailable
from functions.core.workflow.runs import LAMBDA, NOTHING_RAN
from functions.run_patch.lane import NO_ANSWER, addresses, reported, starting

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationResponseTypeDef
    from mypy_boto3_s3 import S3Client

# The platform's own, which pass: too much at once, or a function that is not ready yet.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_PASSING = frozenset(
    {
        "CodeArtifactUserDeletedException",
        "CodeArtifactUserPendingException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "ENILimitReachedException",
        "ENINotReadyException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "ServiceException",
        "SubnetIPAddressLimitReachedException",
        "TooManyRequestsException",
    }
)


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The bucket that holds jobs, and the function that runs them."""

    s3: S3Client
    functions: LambdaClient
    runner_arn: str
    name: ClassVar[str] = LAMBDA

    def run(self, bucket: str, folder: str, heal_id: str) -> str:
        """See `Lane`."""
        try:
            answer = invoke(self.functions, self.runner_arn, heal_id, addresses(self.s3, bucket, folder))
        except RunnerUnavailable as error:
            # A connection that is silent for minutes may be dropped on the way, and the answer with it.
            if isinstance(error.__cause__, NO_ANSWER) and reported(self.s3, bucket, folder):
                return ""
            raise
        if not answer.get("FunctionError"):
            return ""
        return _ended(answer["Payload"].read(4096))


def invoke(
    functions: LambdaClient, runner_arn: str, name: str, event: dict[str, str]
) -> InvocationResponseTypeDef:
    """Have the runner handle an event in an execution environment of its own; name: to recognise it by.

    Lambda never uses one for two tenants; each invocation is a tenant of its own.
    https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html

    Raises RunnerUnavailable.
    """
    with starting(_PASSING):
        return functions.invoke(
            FunctionName=runner_arn,
            TenantId=f"{name[:80]}-{secrets.token_hex(16)}",
            Payload=json.dumps(event).encode(),
        )


def _ended(payload: bytes) -> str:
    """How the runner failed. What it says is a stranger's word, but for what is only said when nothing ran:
    who forges that gets a failed run, not a passed one. Raises RunnerUnavailable."""
    try:
        told: Any = json.loads(payload)
        kind, message = str(told["errorType"])[:100], str(told["errorMessage"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        kind, message = "an unreadable error", ""
    if kind in NOTHING_RAN:
        raise RunnerUnavailable(f"the runner could not do its work: {message}")
    return f"the runner ended with {kind}: {' '.join(message.split())}"
