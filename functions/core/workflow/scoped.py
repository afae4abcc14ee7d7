"""The artifacts of one heal, and of no other: what a step may read and write in the artifacts bucket.

A step's own role has no right to the bucket. It takes on a role that has, in a session with two tags that say
which heal it is for, and the role's policy names keys by these tags: a key of another heal, however it came
into the state, is refused by S3, and CloudTrail says for which heal each object was used.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_iam-tags.html

The step names the heal itself. So this holds code that works as written, whatever it is given; code of a
stranger that ran in a step's place could ask for another session.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from functions.core.aws.settings import Settings
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.heal import HEAL_TAG, INCIDENT_TAG, Heal

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_s3 import S3Client

_SECONDS = 3600
"""The longest that a role's session may take on another role for.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining"""
_LEFT_SECONDS = 1200
"""How much of it an invocation must find: more than any takes, and so than any address that it signs is
needed for."""


def artifacts_of(heal: Heal, settings: Settings, session: boto3.Session) -> Artifacts:
    """The artifacts bucket, to be used for this heal. Raises what STS raises."""
    return Artifacts(s3_of(heal, settings, session), settings.require("artifacts_bucket"))


def s3_of(heal: Heal, settings: Settings, session: boto3.Session, config: Config | None = None) -> S3Client:
    """S3, with the rights that this step has on the artifacts of this heal.

    session: of the step itself. A second one would read the SDK's data again, 65 ms of a cold start.
    """
    period = int(time.time() // (_SECONDS - _LEFT_SECONDS))
    role = settings.require("artifacts_role_arn")
    lent = _credentials(session, role, heal.incident_id, heal.heal_id, period)
    return session.client(
        "s3",
        aws_access_key_id=lent["AccessKeyId"],
        aws_secret_access_key=lent["SecretAccessKey"],
        aws_session_token=lent["SessionToken"],
        config=config,
    )


@lru_cache(maxsize=1)
def _credentials(
    session: boto3.Session, role_arn: str, incident_id: str, heal_id: str, period: int
) -> dict[str, str]:
    """Of a session for one heal. A warm function keeps those of its last heal, for one period."""
    answer: Any = session.client("sts").assume_role(
        RoleArn=role_arn,
        RoleSessionName="heal-" + re.sub(r"[^\w+=,.@-]", "-", heal_id, flags=re.ASCII)[:59],
        DurationSeconds=_SECONDS,
        Tags=[{"Key": INCIDENT_TAG, "Value": incident_id}, {"Key": HEAL_TAG, "Value": heal_id}],
    )
    found: dict[str, str] = answer["Credentials"]
    return found
