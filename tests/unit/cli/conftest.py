"""The command against moto: a stack's outputs, its table, and the registry."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.testing import CliRunner

from infra.cli import console, main
from infra.errors import UserError
from infra.names import DEFAULT
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

ENTRY = {"log_groups": ["/aws/lambda/orders"], "repository": "https://github.com/shop/orders.git"}


@dataclass(frozen=True)
class Ran:
    """What a command did: `text` is all that people read, without the width of a terminal."""

    exit_code: int
    text: str
    stdout: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found


# `1 files`, `file(s)`; but what is numbered may be followed by anything: `line 1 has`.
NOT_ENGLISH = re.compile(
    r"(?<![\w.,:/-])(?<!line )(?<!attempt )1 (?:more )?(?!is\b|was\b|has\b|as\b|this\b)[a-z]*[^\Ws]s\b"
    r"|[a-z]\(e?s\)"
)

Selfheal = Callable[..., Ran]


@pytest.fixture
def target(incidents_table: Table) -> Target:
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    return Target(boto3.Session(), {"IncidentsTable": incidents_table.name, "EntriesKeyArn": key})


@pytest.fixture
def register(aws: None) -> Callable[..., None]:
    """Writes an app's entry, and nothing else."""

    def write(name: str, **entry: Any) -> None:
        boto3.client("ssm").put_parameter(
            Name=f"{DEFAULT.registry}/{name}",
            Value=json.dumps(ENTRY | entry),
            Type="SecureString",
            Overwrite=True,
        )

    return write


@pytest.fixture
def put(incidents_table: Table) -> Callable[..., str]:
    """Writes an incident; its id. What is not said is that of an error that was just seen."""

    def write(number: int = 1, app: str = "orders", **attributes: Any) -> str:
        item: dict[str, Any] = {
            "incident_id": f"{app}-v1-{number:05}",
            "fingerprint": f"v1-{number:05}",
            "app": app,
            "status": "NEW",
            "error_type": "KeyError",
            "title": f"KeyError: {number}",
            "error_class": "code",
            "place": "/var/task/orders/rates.py rate",
            "occurrences": 1,
            "first_seen": "2026-11-20T10:00:00.000+00:00",
            "last_seen": "2026-11-20T10:00:00.000+00:00",
            "generation": 1,
        }
        incidents_table.put_item(Item=item | attributes)
        return str(item["incident_id"])

    return write


@pytest.fixture
def selfheal(target: Target, monkeypatch: pytest.MonkeyPatch) -> Selfheal:
    """Runs a command against that target, as `main` does."""
    for name, module in list(sys.modules.items()):
        if name.startswith("infra.cli.") and hasattr(module, "connect"):
            monkeypatch.setattr(module, "connect", lambda local: target)
    monkeypatch.setenv("COLUMNS", "200")
    # A console keeps the width that COLUMNS had when its module was first imported.
    monkeypatch.setattr(console.out, "_width", None)

    def run(*arguments: str, stdin: str = "") -> Ran:
        result = CliRunner().invoke(main.app, list(arguments), input=stdin)
        said, code = "", result.exit_code
        if isinstance(result.exception, UserError):
            error = result.exception
            said, code = f"error: {error.what}\nnext: {error.next_step}", error.exit_code
        elif result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        text = " ".join(f"{result.output} {said}".split())
        assert not (slip := NOT_ENGLISH.search(f"{result.output}\n{said}")), f"{slip[0]!r} in {text}"
        return Ran(code, text, result.stdout)

    return run
