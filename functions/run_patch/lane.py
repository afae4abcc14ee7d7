"""What RunPatch's lanes have in common: their contract, a run's two addresses, and what passes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError

from functions.core.workflow.errors import RunnerUnavailable
from functions.core.workflow.runs import JOB, REPORT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ADDRESS_SECONDS = 3600
"""How long an address is good: longer than any run."""

NO_ANSWER = (exceptions.ConnectionError, exceptions.HTTPClientError)
"""What botocore raises where a service could not be reached, or did not answer in time."""


def signing(region: str, endpoint: str | None) -> Config:
    """How addresses are signed. endpoint: of S3, where it is not AWS's own.

    By the bucket's name in its own region: the name for all regions leads elsewhere until DNS has spread it,
    and in newer regions for good, and a signed request cannot follow. Version 4, because what is encrypted
    with a key of KMS can be read by no other.
    """
    style: Literal["auto", "virtual"] = "auto" if endpoint else "virtual"
    return Config(
        region_name=region,
        signature_version="s3v4",
        s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
    )


def reported(s3: S3Client, bucket: str, folder: str) -> bool:
    """Whether a report was left: the object is there before the run, and empty."""
    return bool(s3.head_object(Bucket=bucket, Key=f"{folder}/{REPORT}")["ContentLength"])


class Lane(Protocol):
    """Has a job run in a world of its own, and waits for the end."""

    name: ClassVar[str]
    """See `functions.core.workflow.runs`."""

    def run(self, bucket: str, folder: str, heal_id: str) -> str:
        """Run the job in a folder to its end: "" when it left a report, else how it ended.

        Raises RunnerUnavailable where nothing was run, or nothing could be handed back: nothing about the
        patch follows from that. Other errors of AWS are raised as they are.
        """
        ...


def addresses(s3: S3Client, bucket: str, folder: str) -> dict[str, str]:
    """`{"job": address to read, "report": address to write}`. Signed each time, so that a redrive days later
    has new ones."""

    def signed(method: str, name: str) -> str:
        return s3.generate_presigned_url(
            method, Params={"Bucket": bucket, "Key": f"{folder}/{name}"}, ExpiresIn=ADDRESS_SECONDS
        )

    return {"job": signed("get_object", JOB), "report": signed("put_object", REPORT)}


def code_of(error: ClientError) -> str:
    """The name that the service gives an error."""
    return str(error.response["Error"]["Code"])


@contextmanager
def starting(passing: frozenset[str]) -> Iterator[None]:
    """Ask a service to run a job. Errors with one of the codes in `passing`, and answers that do not come,
    become RunnerUnavailable."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in passing:
            raise RunnerUnavailable(f"the runner cannot be started now: {error}") from error
        raise
    except NO_ANSWER as error:
        raise RunnerUnavailable(f"the runner's answer did not come: {error}") from error
