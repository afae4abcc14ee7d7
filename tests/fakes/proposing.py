"""ProposePatch's surroundings as deployed: bucket, table, registry, and one claimed incident."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import boto3

from functions.core.incidents.incident import Frame
from functions.core.source import archive
from functions.core.source.archive import Member
from functions.detect_errors.recorder import place

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SOURCE = f'RATES = {{"DE": 4.9}}\nTOKEN = "{TOKEN}"\n\n\ndef rate(country):\n    return RATES[country]\n'
TRACE = (
    "user jane.doe@example.org password=hunter2-hunter2\nTraceback (most recent call last):\n"
    '  File "/tmp/ministack-lambda-orders-abc123/code/orders/rates.py", line 6, in rate\n'
    "    return RATES[country]\nKeyError: 'NZ'\n"
)
FRAME = Frame(
    "/tmp/ministack-lambda-orders-abc123/code/orders/rates.py",
    6,
    "rate",
    "return RATES[country]",
    in_app=True,
)
STATE: dict[str, Any] = {
    "incident_id": "orders-f",
    "app": "orders",
    "heal_id": "h1",
    "attempt": 1,
    "attempts_allowed": 3,
    "max_attempts": 3,
    "comment": "",
    "source": {"key": "orders-f/h1/source.tar.gz", "base_sha": "0" * 40, "revision_from": "branch"},
}


class Deployed:
    """Bucket, table and registry as deployed, with one claimed incident whose source was fetched."""

    def __init__(self, table: Table, registry: str) -> None:
        self._table = table
        self._registry = registry
        self._s3 = boto3.client("s3")
        self._s3.create_bucket(Bucket="artifacts")
        self.register()
        self.fetched({"orders/rates.py": SOURCE})
        self.incident()

    def register(self, **changes: Any) -> None:
        entry = {"log_groups": ["/app"], "repository": "https://github.com/shop/orders.git"} | changes
        name = f"{self._registry}/orders"
        boto3.client("ssm").put_parameter(
            Name=name, Value=json.dumps(entry), Type="SecureString", Overwrite=True
        )

    def keep(self, name: str, secret: str) -> None:
        """A secret of the app's, below the registry's credentials."""
        name = f"{self._registry.rpartition('/')[0]}/credentials/{name}"
        boto3.client("ssm").put_parameter(Name=name, Value=secret, Type="SecureString", Overwrite=True)

    def fetched(self, files: dict[str, str]) -> None:
        packed = archive.pack(Member(path, text.encode()) for path, text in files.items())
        self._s3.put_object(Bucket="artifacts", Key=STATE["source"]["key"], Body=packed)

    def incident(self, *frames: Frame, execution: str = "h1", sample: str = TRACE) -> None:
        self._table.put_item(
            Item={
                "incident_id": "orders-f",
                "fingerprint": "f",
                "app": "orders",
                "status": "HEALING",
                "error_type": "KeyError",
                "title": "KeyError: 'NZ'",
                "sample": sample,
                "occurrences": 3,
                "execution_arn": f"arn:aws:states:us-east-1:123456789012:execution:self-heal:{execution}",
                "frames": [asdict(frame) for frame in frames or (FRAME,)],
                "place": place(tuple(frames or (FRAME,))),
            }
        )

    def other(self, incident_id: str, title: str, frame: Frame, **more: str) -> None:
        item = {"incident_id": incident_id, "fingerprint": "g", "app": "orders", "status": "RESOLVED"}
        item |= {"error_type": title.partition(":")[0], "title": title, "last_seen": "2026-01-02", **more}
        self._table.put_item(Item=item | {"place": place((frame,))})

    def joined(self, *others: str) -> None:
        self._table.update_item(
            Key={"incident_id": "orders-f"},
            UpdateExpression="SET joined = :others",
            ExpressionAttributeValues={":others": list(others)},
        )

    def artifact(self, name: str) -> Any:
        return json.loads(self._s3.get_object(Bucket="artifacts", Key=f"orders-f/h1/{name}")["Body"].read())

    def put(self, name: str, value: Any) -> None:
        self._s3.put_object(Bucket="artifacts", Key=f"orders-f/h1/{name}", Body=json.dumps(value).encode())

    def names(self) -> set[str]:
        rows = self._s3.list_objects_v2(Bucket="artifacts")["Contents"]
        return {row["Key"].removeprefix("orders-f/h1/") for row in rows} - {"source.tar.gz"}

    def all_text(self) -> str:
        bodies = (
            self._s3.get_object(Bucket="artifacts", Key=f"orders-f/h1/{n}")["Body"].read()
            for n in self.names()
        )
        return "\n".join(body.decode() for body in bodies)

    def item(self) -> dict[str, Any]:
        return dict(self._table.get_item(Key={"incident_id": "orders-f"})["Item"])
