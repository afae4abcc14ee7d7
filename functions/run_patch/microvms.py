"""Hands a job to a Lambda MicroVM of its own: two signed addresses by its run hook, and an end in any case.

The virtual machine has no role, no way in, and no way out but a network connector of the stack's owner.
https://docs.aws.amazon.com/lambda/latest/dg/microvms-launching.html

It is not asked how the job went: it leaves a report at its address, or it does not.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from functions.core.workflow.errors import RunnerUnavailable
from functions.core.workflow.runs import MICROVM, REPORT
from functions.run_patch.lane import NO_ANSWER, addresses, code_of, reported, starting

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WAIT_SECONDS = 850
"""How long a report is waited for: longer than a job may take, shorter than RunPatch."""
LIFE_SECONDS = WAIT_SECONDS + 30
"""When the platform ends the machine, should this function have ended without doing it."""
_PAUSE_SECONDS = 2.0

# Errors of the service model that pass: too much at once, or the service's own.
_PASSING = frozenset(
    {
        "InsufficientCapacityException",
        "InternalServerException",
        "ServiceQuotaExceededException",
        "ThrottlingException",
    }
)
_GONE = frozenset({"ConflictException", "ResourceNotFoundException"})
_OVER = frozenset({"TERMINATING", "TERMINATED"})


@dataclass(frozen=True, slots=True)
class MicroVms:
    """The bucket that holds jobs, and the image whose machines run them."""

    s3: S3Client
    microvms: Any
    """A client of `lambda-microvms`."""
    image_arn: str
    connector_arn: str
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    name: ClassVar[str] = MICROVM

    def run(self, bucket: str, folder: str, heal_id: str) -> str:
        """See `Lane`."""
        deadline = self.clock() + WAIT_SECONDS
        # What an earlier run of this job left late would end this one before it began.
        self.s3.put_object(Bucket=bucket, Key=f"{folder}/{REPORT}", Body=b"")
        identifier = self._start(pack(addresses(self.s3, bucket, folder)), heal_id)
        try:
            return self._wait(identifier, bucket, folder, deadline)
        finally:
            self._end(identifier)

    def _start(self, payload: str, heal_id: str) -> str:
        meta = self.microvms.meta
        no_way_in = (
            f"arn:{meta.partition}:lambda:{meta.region_name}:aws:network-connector:"
            "aws-network-connector:NO_INGRESS"
        )
        with starting(_PASSING):
            answer = self.microvms.run_microvm(
                imageIdentifier=self.image_arn,
                # Without connectors there is a way in, and one to all of the internet.
                # https://docs.aws.amazon.com/lambda/latest/dg/microvms-networking.html
                ingressNetworkConnectors=[no_way_in],
                egressNetworkConnectors=[self.connector_arn],
                runHookPayload=payload,
                maximumDurationInSeconds=LIFE_SECONDS,
                logging={"disabled": {}},
                # The client's own retries carry it, too, and start nothing twice; a later run is another.
                clientToken=f"{heal_id[:80]}-{secrets.token_hex(16)}",
            )
        return str(answer["microvmId"])

    def _wait(self, identifier: str, bucket: str, folder: str, deadline: float) -> str:
        """How a started machine ended. One that ends before it ever ran refused its run hook: then it had no
        job, and nothing of a patch was run."""
        ran = False
        while True:
            # Asked first, so that what is left just before the end is found.
            state, reason = self._state(identifier)
            if reported(self.s3, bucket, folder):
                return ""
            ran = ran or state == "RUNNING"
            if state in _OVER:
                said = " ".join(reason.split())[:200] or state
                if not ran:
                    raise RunnerUnavailable(f"the MicroVM did not start: {said}")
                return f"the MicroVM ended without a report: {said}"
            if self.clock() >= deadline:
                return f"the MicroVM left no report within {WAIT_SECONDS} s"
            self.sleep(_PAUSE_SECONDS)

    def _state(self, identifier: str) -> tuple[str, str]:
        """State and its reason; two empty strings where they cannot be told now, so that it is asked again.
        The service says that it knows of a machine only after a while."""
        try:
            found = self.microvms.get_microvm(microvmIdentifier=identifier)
        except ClientError as error:
            if code_of(error) in _PASSING | _GONE:
                return "", ""
            raise
        except NO_ANSWER:
            return "", ""
        return str(found["state"]), str(found.get("stateReason", ""))

    def _end(self, identifier: str) -> None:
        """End the machine, also one that has ended. Where it cannot be asked to now, its time runs out."""
        with suppress(*NO_ANSWER):
            try:
                self.microvms.terminate_microvm(microvmIdentifier=identifier)
            except ClientError as error:
                if code_of(error) not in _PASSING | _GONE:
                    raise


def pack(given: dict[str, str]) -> str:
    """A run hook's payload. The service model allows 4,096 characters, and both addresses repeat the same
    session token: with one of 1,500, they take 4,223 as they are and 2,128 so."""
    return base64.b64encode(zlib.compress(json.dumps(given).encode(), 9)).decode()
