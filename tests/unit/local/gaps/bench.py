"""A work bench: an emulator, short ways to make resources in it, and where its functions wait."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from textwrap import dedent
from typing import Any, TypeVar

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from infra.local.emulator import Emulator
from tests.fakes.web import answered_by

T = TypeVar("T")

PATIENCE = 240
"""Seconds that are waited for what must come about, on a machine that is busy with other things as well."""


class Bench:
    """An emulator, and short ways to make resources in it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.session = emulator.session()
        self.iam = self.client("iam")
        self.lambda_ = self.client("lambda")
        self.logs = self.client("logs")
        self.sfn = self.client("stepfunctions")
        self.role = self.make_role("everything", ["*"])

    def client(self, name: str) -> Any:
        client: Any = self.session.client(name)  # type: ignore[call-overload]  # Any service by its name.
        return client

    def make_role(self, name: str, actions: list[str], resource: str = "*") -> str:
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"][
            "Arn"
        ]
        policy = document({"Effect": "Allow", "Action": actions, "Resource": resource})
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        return arn

    def make_function(self, name: str, source: str, **settings: Any) -> str:
        """A function whose handler is `handler` in app.py; returns its ARN."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("app.py", dedent(source))
        settings = {
            "Role": self.role,
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Timeout": 60,
        } | settings
        made = self.lambda_.create_function(
            FunctionName=name, Code={"ZipFile": archive.getvalue()}, **settings
        )
        arn: str = made["FunctionArn"]
        return arn

    def invoke(self, name: str, event: Any = None) -> dict[str, Any]:
        """`{"payload": …}` and, if it failed, `{"error": …}`."""
        answer = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event))
        return {"payload": json.load(answer["Payload"]), "error": answer.get("FunctionError")}

    def make_machine(self, name: str, states: dict[str, Any], **definition: Any) -> str:
        definition = {
            "QueryLanguage": "JSONata",
            "StartAt": next(iter(states)),
            "States": states,
        } | definition
        made = self.sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=self.role)
        arn: str = made["stateMachineArn"]
        return arn

    def start(self, machine: str, data: Any = None) -> str:
        arn: str = self.sfn.start_execution(stateMachineArn=machine, input=json.dumps(data or {}))[
            "executionArn"
        ]
        return arn

    def finish(self, execution: str) -> dict[str, Any]:
        """The description of the execution once it is no longer running."""

        def ended() -> dict[str, Any] | None:
            description: dict[str, Any] = self.sfn.describe_execution(executionArn=execution)
            return description if description["status"] != "RUNNING" else None

        return wait_for(ended)

    def history(self, execution: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.sfn.get_execution_history(executionArn=execution)["events"]
        return events

    def messages(self, group: str) -> list[str]:
        try:
            events = self.logs.filter_log_events(logGroupName=group)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def wait_for(self, condition: Callable[[], T | None]) -> T:
        return wait_for(condition)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def wait_for(condition: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"still not so after {PATIENCE} s")


class Gate:
    """Where functions wait: a GET of `url` is answered once the gate is open."""

    def __init__(self, server: HTTPServer) -> None:
        self.arrived = 0
        self.open = threading.Event()
        self.url = answered_by(server, self._answer)

    def _answer(self, _: Request) -> Response:
        self.arrived += 1
        self.open.wait(PATIENCE)
        return Response(status=204)


class MiniStackAlone(Emulator):
    module = "ministack"
