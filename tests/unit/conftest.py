"""What unit tests of the functions share: fake credentials and moto's AWS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from functions.core.app import App
from infra.local.forge import Forge

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS as moto emulates it, with credentials that are good for nothing else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def incidents_table(aws: None) -> Table:
    """An empty incidents table, keyed and indexed as the stack makes it."""
    return boto3.resource("dynamodb").create_table(
        TableName="incidents",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "incident_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "incident_id", "AttributeType": "S"},
            {"AttributeName": "app", "AttributeType": "S"},
            {"AttributeName": "last_seen", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_app",
                "KeySchema": [
                    {"AttributeName": "app", "KeyType": "HASH"},
                    {"AttributeName": "last_seen", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


FORGE_TOKEN = "forge-token"


@dataclass(frozen=True)
class Hosted:
    """An app whose private repository lies on a forge that runs: real git over HTTP, GitHub's REST API."""

    forge: Forge
    app: App
    bare: Path
    base_sha: str
    token: str = FORGE_TOKEN

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git in the bare repository, as the forge's own disk sees it."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.bare), *arguments], check=True, capture_output=True, input=stdin
        )
        return done.stdout.decode().strip()

    def branch(self, name: str, path: str = "new.txt") -> str:
        """Push a branch with one more file straight into the bare repository; its commit."""
        blob = self.git("hash-object", "-w", "--stdin", stdin=b"new\n")
        files = self.git("ls-tree", "-r", self.base_sha).splitlines()
        # `mktree` wants one directory's entries, which holds for this repository: it is flat.
        tree = self.git("mktree", stdin="\n".join([*files, f"100644 blob {blob}\t{path}", ""]).encode())
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        commit = self.git(*identity, "commit-tree", tree, "-p", self.base_sha, "-m", "change")
        self.git("update-ref", f"refs/heads/{name}", commit)
        return commit


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """A flat little repository `shop/orders` on a running forge, registered as app `orders`."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "rates.py").write_text(
        'RATES = {"DE": 4.9}\n\n\ndef rate(country):\n    return RATES[country]\n'
    )
    (source / "README.md").write_text("# Orders\n")
    forge = Forge(tmp_path / "forge", FORGE_TOKEN)
    base = forge.create_repository("shop/orders", source, private=True, collaborators=("reviewer",))
    forge.start()
    app = App(
        name="orders",
        log_groups=("/aws/lambda/orders",),
        repository=f"{forge.url}/shop/orders.git",
        forge_api=forge.api_url,
        credentials="/self-heal/credentials/orders",
        reviewers=("reviewer",),
    )
    yield Hosted(forge, app, tmp_path / "forge/shop/orders.git", base)
    forge.stop()


@dataclass(frozen=True)
class LambdaContext:
    """What the Lambda runtime passes as second argument, as far as Powertools reads it."""

    function_name: str = "self-heal-step"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:self-heal-step"
    aws_request_id: str = "7c1d2f3a-0000-4000-8000-000000000000"


@pytest.fixture
def lambda_context(monkeypatch: pytest.MonkeyPatch) -> LambdaContext:
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    return LambdaContext()
