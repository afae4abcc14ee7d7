"""Hands a job to the runner: two signed addresses, and an execution environment that no other run ever has.

The runner's own role may do nothing. What it is given is the address of its job, to read, and of its report,
to write, for one run. Both are signed here each time, so a redrive days later has new ones.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError

from functions.core.errors import RunnerUnavailable
from functions.core.runs import JOB, NOTHING_RAN, REPORT

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

ADDRESS_SECONDS = 3600
"""How long an address is good: longer than any run."""

# The platform's own, which pass: too much at once, or a function that is not ready yet.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_PASSING = frozenset(
    {
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

    def run(self, bucket: str, folder: str, heal_id: str) -> str:
        """Run the job in a folder to its end: "" when it left a report, else how it ended.

        Raises RunnerUnavailable where nothing was run, or nothing could be handed back: nothing about the
        patch follows from that. Other errors of AWS are raised as they are.
        """
        event = {
            "job": self._address("get_object", bucket, f"{folder}/{JOB}"),
            "report": self._address("put_object", bucket, f"{folder}/{REPORT}"),
        }
        try:
            answer = self.functions.invoke(
                FunctionName=self.runner_arn,
                # Lambda never uses an execution environment for two tenants; each run is a tenant of its own.
                # https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html
                TenantId=f"{heal_id[:80]}-{secrets.token_hex(16)}",
                Payload=json.dumps(event).encode(),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _PASSING:
                raise RunnerUnavailable(f"the runner cannot be started now: {error}") from error
            raise
        except HTTPClientError as error:
            raise RunnerUnavailable(f"the runner's answer did not come: {error}") from error
        if not answer.get("FunctionError"):
            return ""
        return _ended(answer["Payload"].read(4096))

    def _address(self, method: str, bucket: str, key: str) -> str:
        return self.s3.generate_presigned_url(
            method, Params={"Bucket": bucket, "Key": key}, ExpiresIn=ADDRESS_SECONDS
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
