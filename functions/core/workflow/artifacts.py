"""Artifacts: source archives, prompts, answers, patches and evidence, as objects in the artifacts bucket.

What one step writes, later steps and people rely on. So what travels between them is a reference,
`KEY@sha256:HEX` as registries of container images write it; whoever reads by reference gets those bytes or
an error.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.workflow.errors import ArtifactChanged

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_DIGEST, _VERSION = "@sha256:", "?versionId="


class Artifact(StrEnum):
    """What a heal leaves, by name: the first six once, JOB and REPORT for each run in a folder of its own,
    all others for each attempt."""

    SOURCE = "source.tar.gz"
    SOURCE_TOLD = "source.json"
    """What FetchSource told of it: while that is there, the heal keeps the commit that it began with."""
    CONTEXT = "facts.json"
    """The validation context."""
    EARLIER = "earlier.json"
    """The pull request that is followed up, or that did not last."""
    ORIGIN = "origin.json"
    """Where the error comes from."""
    REFUSED = "refused.json"
    """Which parameters which models refused."""
    JOINED = "joined.json"
    """The incidents that had joined by then, which are to be mended too."""
    PROMPT = "prompt.json"
    ANSWER = "answer.json"
    """All that was sent to models and answered by them."""
    PROPOSAL = "proposal.json"
    FINDINGS = "findings.json"
    """What the gates, or people, object to."""
    OUTCOME = "outcome.json"
    """What ProposePatch told of the attempt."""
    EXPERIMENT = "experiment.json"
    PATCH = "patch.diff"
    EVIDENCE = "evidence.json"
    DEPLOYED = "deployed.json"
    """What came out at the deployed revision, where the head is another one."""
    QUESTIONS = "questions.json"
    """Of the attempt whose questions went back to the model."""
    REVIEW = "review.json"
    REVIEW_ANSWER = "review_answer.json"
    JOB = "job.zip"
    REPORT = "report.json"


def reference(key: str, body: bytes) -> str:
    """The reference to these bytes at this key."""
    return f"{key}{_DIGEST}{hashlib.sha256(body).hexdigest()}"


def bound(reference: str) -> str:
    """The reference, if it tells which bytes are meant; "" stands for nothing.

    Raises ArtifactChanged for a mere key: what lies there may be swapped after people have seen it.
    """
    if reference and len(reference.partition(_DIGEST)[2]) != hashlib.sha256().digest_size * 2:
        raise ArtifactChanged(f"{reference} does not say which bytes are meant; nobody is asked about it")
    return reference


def same_bytes(one: str, other: str) -> bool:
    """Whether two references mean the same bytes of one key: a step that ran twice left two versions."""
    return _version_less(one) == _version_less(other)


def _version_less(reference: str) -> tuple[str, str]:
    place, _, digest = reference.partition(_DIGEST)
    return place.partition(_VERSION)[0], digest


class Artifacts:
    """The artifacts bucket. Keys come from `Heal`; text is redacted by the caller before it is written."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @property
    def bucket(self) -> str:
        return self._bucket

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Write (or overwrite with the same) bytes; the reference to them."""
        answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)
        # Should the step run twice, each run's reference stays good: the bucket keeps what was overwritten.
        version = answer.get("VersionId", "")
        return reference(f"{key}{_VERSION}{version}" if version else key, body)

    def put_json(self, key: str, value: Any) -> str:
        return self.put(key, json.dumps(value, indent=1).encode(), "application/json")

    def get(self, key: str) -> bytes:
        """The bytes of the object with this key, or to which this is the reference.

        Raises ArtifactChanged when they are not those that were referred to, and botocore's ClientError
        (`NoSuchKey`) when there are none.
        """
        place, _, digest = key.partition(_DIGEST)
        name, _, version = place.partition(_VERSION)
        exactly: dict[str, Any] = {"VersionId": version} if version else {}
        body = self._client.get_object(Bucket=self._bucket, Key=name, **exactly)["Body"].read()
        if digest and reference(place, body) != key:
            raise ArtifactChanged(
                f"{name} is not what was written for this heal (its sha256 was {digest}), so nothing is done"
                " with it. Find out who can write to the bucket; its earlier versions are kept"
            )
        return body

    def get_at_most(self, key: str, most: int) -> bytes | None:
        """The object's bytes, or None when they are more than `most`: for what strangers may have written."""
        answer = self._client.get_object(Bucket=self._bucket, Key=key)
        return answer["Body"].read() if answer["ContentLength"] <= most else None

    def get_text(self, key: str) -> str:
        return self.get(key).decode()

    def get_json(self, key: str) -> Any:
        return json.loads(self.get(key))

    def find_json(self, key: str) -> Any | None:
        """The parsed object, or None when there is none: how a step sees that an earlier run made it."""
        try:
            return self.get_json(key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            # S3 tells what is missing only those who may list the whole bucket; a step may list what is its
            # heal's. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            if code in ("NoSuchKey", "404") or (code in ("AccessDenied", "403") and not self._listed(key)):
                return None
            raise

    def _listed(self, key: str) -> bool:
        name = key.partition(_DIGEST)[0].partition(_VERSION)[0]
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=name, MaxKeys=1)
        return any(row["Key"] == name for row in found.get("Contents", ()))
