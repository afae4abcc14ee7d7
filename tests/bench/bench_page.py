"""The approval page on the embedded run: how fast and how big, and who wins when people click at once.

Run: python tests/bench/bench_page.py [ROUNDS]. Each round lets three people decide differently at the same
time, through the page, about a question that a real execution waits for.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

from functions.core.approval import links
from functions.core.approval.approvals import Approval
from functions.core.approval.links import Link
from functions.core.approval.task_tokens import TaskTokens
from infra.local import run as embedded
from infra.names import DEFAULT
from infra.target import Target

VIEWS = 30
TARGETS = "page p50 <= 150 ms, <= 200 KiB; exactly one decision per round"
CLICKS: dict[str, dict[str, str]] = {
    "approve": {},
    "revise": {"comment": "Keep the KeyError."},
    "reject": {"reason": "wrong_fix"},
}
LINES = "".join(
    f'-    total_{n} = price(order["item_{n}"], limit={n})  # was\n'
    f'+    total_{n} = price(order.get("item_{n}"), limit={n}) if order else None\n'
    for n in range(200)
)
PATCH = f"--- a/orders/pricing.py\n+++ b/orders/pricing.py\n@@ -1,200 +1,200 @@\n{LINES}".encode()


class Questions:
    """Puts questions to the page, each with the task token of an execution that waits for its answer."""

    def __init__(self, target: Target) -> None:
        self._target = target
        client: Any = target.session.client
        self._states, self._queues = client("stepfunctions"), client("sqs")
        self._queue = self._queues.create_queue(QueueName="bench-tokens")["QueueUrl"]
        ask = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": self._queue, "MessageBody": {"token.$": "$$.Task.Token"}},
            "TimeoutSeconds": 600,
            "End": True,
        }
        workflow = self._states.describe_state_machine(stateMachineArn=target.output("StateMachineArn"))
        self._machine = self._states.create_state_machine(
            name="bench-asks",
            roleArn=workflow["roleArn"],
            definition=json.dumps({"StartAt": "Ask", "States": {"Ask": ask}}),
        )["stateMachineArn"]
        self._let_the_page_read_history(client)
        asking = client("lambda").get_function_configuration(FunctionName="self-heal-await-approval")
        self._tokens = TaskTokens(client("kms"), asking["Environment"]["Variables"]["TOKEN_KEY_ARN"])
        stored = client("ssm").get_parameter(Name=DEFAULT.link_key, WithDecryption=True)
        self._key = stored["Parameter"]["Value"].split()[0].encode()

    def _let_the_page_read_history(self, client: Any) -> None:
        """Of the executions made here, as it may of the workflow's own."""
        function = client("lambda").get_function(FunctionName="self-heal-decide-approval")
        allow = {"Effect": "Allow", "Action": "states:GetExecutionHistory", "Resource": "*"}
        client("iam").put_role_policy(
            RoleName=function["Configuration"]["Role"].rsplit("/", 1)[1],
            PolicyName="Bench",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
        )

    def ask(self, name: str) -> Approval:
        """A question with a patch of 400 lines that waits for an answer."""
        execution = self._states.start_execution(stateMachineArn=self._machine, input="{}")["executionArn"]
        token = self._token()
        incident_id, prefix = f"orders-{name}", f"orders-{name}/bench/1"
        artifacts = self._target.artifacts
        gate = {"gate": "applies", "result": "pass", "detail": "it applies"}
        proposal = {"title": "t", "root_cause": "r", "explanation": "e", "edits": [], "confidence": 0.9}
        artifacts.put_json(f"{prefix}/proposal.json", proposal)
        artifacts.put_json(f"{prefix}/evidence.json", {"gates": [gate]})
        artifacts.put(f"{prefix}/patch.diff", PATCH)
        table = self._target.session.resource("dynamodb").Table(self._target.output("IncidentsTable"))
        item = {"incident_id": incident_id, "fingerprint": name, "app": "orders", "error_type": "KeyError"}
        item |= {"status": "AWAITING_APPROVAL", "title": "KeyError: 'NZ'", "execution_arn": execution}
        table.put_item(Item={**item, "approval_id": name, "last_seen": "2026-11-20T10:00:00+00:00"})
        return self._target.approvals.open(
            Approval(
                approval_id=name,
                incident_id=incident_id,
                app="orders",
                heal_id="bench",
                execution_arn=execution,
                attempt=1,
                redrive_count=0,
                patch_sha256=hashlib.sha256(PATCH).hexdigest(),
                base_sha="b" * 40,
                patch_key=f"{prefix}/patch.diff",
                evidence_key=f"{prefix}/evidence.json",
                proposal_key=f"{prefix}/proposal.json",
                expires_at=int(time.time()) + 3600,
                token=self._tokens.seal(token, name),
            )
        )

    def link(self, approval: Approval, recipient: str) -> str:
        link = Link(approval.approval_id, recipient, approval.expires_at)
        return links.url(self._target.output("ApprovalUrl"), link, self._key)

    def outcome(self, approval: Approval) -> dict[str, Any]:
        """What the execution was told."""
        while True:
            described = self._states.describe_execution(executionArn=approval.execution_arn)
            if described["status"] != "RUNNING":
                return dict(json.loads(described["output"]))
            time.sleep(0.02)

    def _token(self) -> str:
        while True:
            for message in self._queues.receive_message(QueueUrl=self._queue).get("Messages", []):
                self._queues.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                return str(json.loads(message["Body"])["token"])


def fetch(address: str, fields: dict[str, str] | None = None) -> str:
    data = urllib.parse.urlencode(fields).encode() if fields is not None else None
    try:
        with urllib.request.urlopen(address, data, timeout=60) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def form(page: str, decision: str) -> str:
    found = re.findall(
        r'name="form" value="([^"]+)">\s*<input type="hidden" name="decision" value="(\w+)"', page
    )
    return {name: unescape(value) for value, name in found}[decision]


def views(questions: Questions) -> None:
    link = questions.link(questions.ask("views"), "ana")
    size = len(fetch(link).encode())
    fetch(link)
    seconds = []
    for _ in range(VIEWS):
        began = time.monotonic()
        fetch(link)
        seconds.append(time.monotonic() - began)
    seconds.sort()
    print(f"page, warm, 400-line diff   p50 {statistics.median(seconds) * 1000:.0f} ms, emulator included")
    print(
        f"                            p95 {seconds[int(VIEWS * 0.95)] * 1000:.0f} ms, {size / 1024:.0f} KiB"
    )


def clicks(questions: Questions, rounds: int) -> None:
    won: dict[str, int] = dict.fromkeys(CLICKS, 0)
    with ThreadPoolExecutor(len(CLICKS)) as people:
        for number in range(rounds):
            approval = questions.ask(f"round-{number}")
            addresses = {name: questions.link(approval, name) for name in CLICKS}
            posts = [
                {"form": form(fetch(address), name), "decision": name, **CLICKS[name]}
                for name, address in addresses.items()
            ]
            pages = list(people.map(fetch, addresses.values(), posts))
            winners = [name for name, page in zip(CLICKS, pages, strict=True) if "<h1>You " in page]
            told = sum("This has been decided" in page for page in pages)
            received = questions.outcome(approval)
            if len(winners) != 1 or told != 2 or received["by"] != winners[0]:
                titles = [re.findall("<h1>(.*?)</h1>", page) for page in pages]
                raise SystemExit(f"round {number}: {titles}, {received}")
            won[winners[0]] += 1
    print(f"conflicting decisions       {rounds} rounds of three at once: exactly one won in each, {won}")


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        run = embedded.start(Path(home))
        try:
            questions = Questions(run.target())
            views(questions)
            clicks(questions, rounds)
        finally:
            run.stop()
    print(f"targets: {TARGETS}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
