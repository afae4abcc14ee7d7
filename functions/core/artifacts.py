"""Artifacts: source archives, prompts, answers, patches and evidence, as objects in the artifacts bucket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Artifacts:
    """The artifacts bucket. Keys come from `Heal`; text is redacted by the caller before it is written."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @property
    def bucket(self) -> str:
        return self._bucket

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Write (or overwrite with the same) bytes."""
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def put_text(self, key: str, text: str) -> None:
        self.put(key, text.encode(), "text/plain; charset=utf-8")

    def put_json(self, key: str, value: Any) -> None:
        self.put(key, json.dumps(value, indent=1).encode(), "application/json")

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises botocore's ClientError (`NoSuchKey`) when it does not exist."""
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

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
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
