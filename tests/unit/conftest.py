"""What unit tests of the functions share: fake credentials and moto's AWS."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.loaders import create_loader
from github import Auth, Github
from pytest_httpserver import HTTPServer

from functions.core.approval.approvals import Approval, Approvals
from functions.core.approval.decisions import Decisions
from functions.core.approval.task_tokens import TaskTokens
from functions.core.apps.app import App
from functions.core.aws import telemetry
from functions.core.aws.deployment import deployment
from functions.core.incidents.table import LISTED, Incidents
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow import scoped
from functions.core.workflow.artifacts import Artifacts
from functions.detect_errors.recorder import Recorder
from tests.fakes.channel import Channel, receiving
from tests.fakes.emulated import LambdaContext, emulated
from tests.fakes.forge import Forge
from tests.fakes.workflow import Workflow
from tests.removal import (
    add_removals,
    pytest_pyfunc_call,
    pytest_runtest_protocol,
    pytest_runtest_teardown,
)

__all__ = ["pytest_pyfunc_call", "pytest_runtest_protocol", "pytest_runtest_teardown"]

if TYPE_CHECKING:
    from github.PullRequest import PullRequest as Pull
    from github.Repository import Repository
    from mypy_boto3_dynamodb.service_resource import Table


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is slow by what it asks for, so that a contributor's quick run can do without; and adds the
    tests of what happens without a permission."""
    add_removals(items)
    for item in items:
        if isinstance(item, pytest.Function) and "aws" in item.fixturenames:
            item.add_marker("moto")


@pytest.fixture(scope="session", autouse=True)
def models_are_read_once() -> Iterator[None]:
    """moto forgets boto3's session with each test, and each session reads the services' models anew: a
    quarter of a second for S3 and DynamoDB."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda data_path: loader)
        yield


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS as moto emulates it, empty."""
    with emulated(monkeypatch):
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
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
            }
        ],
    )


@pytest.fixture
def deliveries_table(aws: None) -> Table:
    """An empty table of deliveries, keyed as the stack makes it."""
    return boto3.resource("dynamodb").create_table(
        TableName="deliveries",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "delivery_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "delivery_id", "AttributeType": "S"}],
    )


@pytest.fixture
def recorder(incidents_table: Table, deliveries_table: Table) -> Recorder:
    return Recorder(incidents_table, deliveries_table, sleep=lambda seconds: None)


FORGE_TOKEN = "forge-token"


@dataclass(frozen=True)
class Hosted:
    """An app whose private repository lies on a forge that runs: real git over HTTP, GitHub's REST API."""

    forge: Forge
    app: App
    bare: Path
    base_sha: str
    token: str = FORGE_TOKEN

    def git(
        self, *arguments: str, stdin: bytes | None = None, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run git in the bare repository, as the forge's own disk sees it."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.bare), *arguments],
            check=True,
            capture_output=True,
            input=stdin,
            env={**os.environ, **(environment or {})},
        )
        return done.stdout.decode().strip()

    @property
    def github(self) -> Repository:
        """The repository as people see it who merge and close: PyGithub's own view, none of ours."""
        client = Github(auth=Auth.Token(self.token), base_url=self.forge.api_url, lazy=True)
        return client.get_repo(self.app.slug)

    def pulls(self) -> list[Pull]:
        return list(self.github.get_pulls(state="all"))

    def check(self, sha: str, name: str, conclusion: str, printed: str = "") -> None:
        """What a job of the repository says of a commit; conclusion: "" while it runs."""
        self.forge.check(self.app.slug, sha, name, conclusion, printed)

    def branch(
        self,
        name: str,
        path: str = "new.txt",
        on: str = "",
        content: bytes = b"new\n",
        by: str = "t",
        at: str = "",
    ) -> str:
        """Push a branch with one file more, or another, straight into the bare repository, on its first
        commit or `on` another, written by a user of the forge's at a time (ISO 8601, "" is now); its commit.
        """
        blob = self.git("hash-object", "-w", "--stdin", stdin=content)
        listed = self.git("ls-tree", "-r", on or self.base_sha).splitlines()
        files = [line for line in listed if not line.endswith(f"\t{path}")]
        # `mktree` wants one directory's entries, which holds for this repository: it is flat.
        tree = self.git("mktree", stdin="\n".join([*files, f"100644 blob {blob}\t{path}", ""]).encode())
        mail = f"{by}@{'example.com' if by == 't' else 'localhost'}"
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} if at else {}
        identity = ("-c", f"user.name={by}", "-c", f"user.email={mail}")
        made = ("commit-tree", tree, "-p", on or self.base_sha, "-m", "change")
        commit = self.git(*identity, *made, environment=dates)
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


@pytest.fixture(autouse=True)
def telemetry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger keeps the stream that it was made with, which pytest closes when the test that made it ends.

    The standard library keeps loggers by name, so each test has one of its own.
    """
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{uuid.uuid4()}")
    for made in (telemetry.logger, telemetry.tracer):
        made.cache_clear()


@pytest.fixture(autouse=True)
def deployment_of_its_own() -> Iterator[None]:
    """A function keeps what it made for as long as it is warm: here, for one test."""
    yield
    deployment.cache_clear()
    scoped._credentials.cache_clear()


@pytest.fixture
def lambda_context() -> LambdaContext:
    """A context as the runtime passes it."""
    return LambdaContext()


LINK_KEY = "newest-link-key-of-at-least-thirty-two-characters"
PATCH = """\
diff --git a/orders/shipping.py b/orders/shipping.py
index 1111111..2222222 100644
--- a/orders/shipping.py
+++ b/orders/shipping.py
@@ -28,3 +28,6 @@ RATES = {"DE": 4.9, "FR": 5.9}
 def rate_for(country: str) -> float:
     \"\"\"The flat rate for a country.\"\"\"
-    return RATES[country]
+    rate = RATES.get(country)
+    if rate is None:
+        raise UnknownCountry(country)
+    return rate
"""
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1"
INCIDENT_ID = "orders-v1-abc"


@dataclass(frozen=True)
class Scene:
    """A heal that has come to AwaitApproval: everything around one approval, on moto."""

    approvals: Approvals
    incidents: Incidents
    artifacts: Artifacts
    tokens: TaskTokens
    workflow: Workflow
    decisions: Decisions
    keys: tuple[bytes, ...]
    incidents_table: Table

    def write_attempt(
        self, number: int, *, patch: str = PATCH, proposal: dict[str, Any] | None = None, **gates: Any
    ) -> str:
        """The artifacts of an attempt; the patch's hash."""
        prefix = f"{INCIDENT_ID}/heal-1/{number}"
        answer = {
            "title": "Refuse unknown countries with a clear error",
            "root_cause": "rate_for looks up any country, but RATES holds only those we ship to.",
            "explanation": "Unknown countries raise UnknownCountry, which the handler answers with 422.",
            "edits": [],
            "confidence": 0.86,
        }
        rows = gates.get("gates") or [
            {"gate": "applies", "result": "pass", "detail": "The patch applies to the base."},
            {
                "gate": "reproduction",
                "result": "pass",
                "detail": "The reproduction fails with KeyError before the patch and passes after it.",
                "runs": [
                    {"command": "pytest t.py", "tree": tree, "exit_code": code, "seconds": 0.4, "output": out}
                    for tree, code, out in (("before", 1, "1 failed"), ("after", 0, "1 passed"))
                ],
            },
            {"gate": "existing_tests", "result": "not_run", "detail": "The repository has no tests."},
        ]
        self.artifacts.put_json(f"{prefix}/proposal.json", answer | (proposal or {}))
        self.artifacts.put_json(f"{prefix}/evidence.json", {"gates": rows})
        self.artifacts.put_json(f"{prefix}/prompt.json", {"model": "a-model"})
        usage = {"input_tokens": 12840, "output_tokens": 912, "cost_usd": 0.0522}
        self.artifacts.put_json(f"{prefix}/outcome.json", usage)
        self.artifacts.put(f"{prefix}/patch.diff", patch.encode())
        return hashlib.sha256(patch.encode()).hexdigest()

    def approval(self, attempt: int = 1, **changes: Any) -> Approval:
        """An open approval of an attempt, whose task token waits."""
        name = str(changes.pop("approval_id", f"approval-{attempt}-of-the-scene-with-entropy"))
        digest = self.write_attempt(attempt, patch=changes.pop("patch", PATCH))
        prefix = f"{INCIDENT_ID}/heal-1/{attempt}"
        token = self.workflow.wait(f"task-token-of-{name}")
        approval = Approval(
            approval_id=name,
            incident_id=INCIDENT_ID,
            app="orders",
            heal_id="heal-1",
            execution_arn=EXECUTION,
            attempt=attempt,
            redrive_count=0,
            patch_sha256=digest,
            base_sha="b" * 40,
            patch_key=f"{prefix}/patch.diff",
            evidence_key=f"{prefix}/evidence.json",
            proposal_key=f"{prefix}/proposal.json",
            expires_at=int(time.time()) + 3600,
            repository="https://github.com/shop/orders.git",
            token=self.tokens.seal(token, name),
        )
        opened = self.approvals.open(replace(approval, **changes))
        self.incidents.advance(INCIDENT_ID, EXECUTION, status="AWAITING_APPROVAL", approval_id=name)
        return opened

    def kept(self, approval_id: str) -> Approval:
        """The row as it is now."""
        row = self.approvals.get(approval_id)
        assert row is not None
        return row


@pytest.fixture
def approvals_table(aws: None) -> Table:
    """An empty approvals table, keyed as the stack makes it."""
    return boto3.resource("dynamodb").create_table(
        TableName="approvals",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "approval_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "approval_id", "AttributeType": "S"}],
    )


@pytest.fixture
def scene(incidents_table: Table, approvals_table: Table) -> Scene:
    """A claimed incident and all that is needed to ask about its patch."""
    boto3.client("s3").create_bucket(Bucket="artifacts")
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    approvals, incidents = Approvals(approvals_table), Incidents(incidents_table)
    tokens = TaskTokens(boto3.client("kms"), key)
    workflow: Any = Workflow()
    incidents_table.put_item(
        Item={
            "incident_id": INCIDENT_ID,
            "fingerprint": "v1-abc",
            "app": "orders",
            "status": "HEALING",
            "error_type": "KeyError",
            "title": "KeyError: 'NZ'",
            "sample": "Traceback (most recent call last):\n  ...\nKeyError: 'NZ'",
            "frames": [
                {"file": "/var/runtime/bootstrap.py", "line": 60, "function": "main", "in_app": False},
                {
                    "file": "/var/task/orders/shipping.py",
                    "line": 30,
                    "function": "rate_for",
                    "code": "return RATES[country]",
                    "in_app": True,
                },
            ],
            "occurrences": 42,
            "first_seen": "2026-11-20T10:00:00.000+00:00",
            "last_seen": "2026-11-20T10:40:05.000+00:00",
            "log_group": "/aws/lambda/orders",
            "log_stream": "2026/11/20/[$LATEST]abc",
            "execution_arn": EXECUTION,
        }
    )
    return Scene(
        approvals=approvals,
        incidents=incidents,
        artifacts=Artifacts(boto3.client("s3"), "artifacts"),
        tokens=tokens,
        workflow=workflow,
        decisions=Decisions(approvals, incidents, tokens, workflow),
        keys=(LINK_KEY.encode(),),
        incidents_table=incidents_table,
    )


Inbox = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def inbox(aws: None) -> Inbox:
    """Reads (and empties) a queue that is subscribed to both topics: what people would have been told."""
    queues = boto3.client("sqs")
    queue = queues.create_queue(QueueName="inbox")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for name in ("notifications", "personal"):
        topic = boto3.client("sns").create_topic(Name=name)["TopicArn"]
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def read() -> list[dict[str, Any]]:
        found = queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    return read


@pytest.fixture
def channel(httpserver: HTTPServer) -> Channel:
    """A Slack and a Teams channel at once, on this machine."""
    return receiving(httpserver)


@pytest.fixture
def webhooks(aws: None, channel: Channel) -> Webhooks:
    """The channels of app `orders`."""
    ssm, name = boto3.client("ssm"), "/self-heal/webhooks/orders"
    ssm.put_parameter(Name=name, Value=channel.webhooks, Type="SecureString")
    return Webhooks("/self-heal/webhooks", SSMProvider(boto3_client=ssm))
