"""Whether a deployment works, tried on a throw-away app: functions, workflow, sandbox, and a question.

Nothing that people work with is touched: the incident, the app's entry, the approval and the artifacts have
names of their own, and are deleted whatever happens. One message goes to the team's topic, and says so.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import Standing
from functions.core.approval.orders import Order
from functions.core.apps.app import App
from functions.core.aws.names import PING
from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.incidents.table import utc_now
from functions.core.source import archive
from functions.core.workflow.artifacts import Artifact, reference
from functions.core.workflow.errors import SelfHealError
from functions.core.workflow.evidence import Evidence, Result
from functions.core.workflow.heal import Heal
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from infra.catalog import FUNCTIONS, SIGN_IN
from infra.deciding import decide
from infra.errors import UserError
from infra.registration import write_entry
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DIFFERS = (
    "functions are zips on this machine's Python: no image is built, and none has to wake up",
    "the roles of functions are enforced, those of the state machine, pipe, rule and schedules are not",
    "a wall of this machine plays the sandbox's subnets, endpoint, resolver and environments",
    "mails go to a folder, and the model is a rule-based one",
)
"""What passes on the embedded run, and says nothing of AWS."""

_EXECUTION_SECONDS = 120
_BASE = "0" * 40

SOURCE = "def last(items):\n    return items[len(items)]\n"
FIX = ("items[len(items)]", "items[len(items) - 1]")
REGRESSION = "from probe import last\n\n\ndef test_last():\n    assert last([1, 2]) == 2\n"
WALLS = """import glob
import os
import socket

import pytest


@pytest.mark.parametrize("place", [("169.254.169.254", 80), ("1.1.1.1", 53)])
def test_nothing_is_reached(place):
    with pytest.raises(OSError):
        socket.create_connection(place, 2)


def test_no_name_is_answered_for():
    with pytest.raises(OSError):
        socket.getaddrinfo("example.com", 443)


def test_there_are_no_credentials():
    assert not [name for name in os.environ if name.startswith("AWS_") and name.endswith(("KEY", "TOKEN"))]


def test_nobody_elses_credentials_are_read():
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                assert b"AWS_SECRET_ACCESS_KEY=" not in file.read()
        except OSError:
            pass


@pytest.mark.parametrize("path", ["/etc/canary", "/usr/canary", "/var/task/canary"])
def test_nothing_is_written_beyond_the_tree(path):
    with pytest.raises(OSError):
        open(path, "w")
"""
"""What code under test tries, and must be refused: tests that pass where it is."""
WALL_TESTS = 8


@dataclass(frozen=True, slots=True)
class SmokeCheck:
    """One thing that was tried, and what came of it."""

    name: str
    passed: bool
    detail: str


def examine(target: Target, by: str) -> Iterator[SmokeCheck]:
    """Every check, as it is done. `by`: the caller's ARN, who answers the question."""
    yield from _awake(target)
    with _throw_away(target, by) as (heal, app):
        yield _checked("workflow", lambda: _workflow(target, heal))
        yield _checked("sandbox", lambda: _sandbox(target, heal, app))
        yield _checked("question", lambda: _question(target, heal, by))


def _checked(name: str, probe: Callable[[], str]) -> SmokeCheck:
    """The check of a probe that returns what it found, and raises where something is wrong."""
    try:
        return SmokeCheck(name, True, probe())
    except (AssertionError, ClientError, SelfHealError, UserError, KeyError, ValueError) as error:
        return SmokeCheck(name, False, f"{type(error).__name__}: {error}")


_PATIENT = Config(read_timeout=900, retries={"total_max_attempts": 1})
"""A run takes minutes where its image is cold, and asking again would run it twice."""


def _awake(target: Target) -> Iterator[SmokeCheck]:
    for spec in (*FUNCTIONS, SIGN_IN):
        try:
            answer = _invoke(target, spec.folder, PING)
        except ClientError as error:
            if spec is SIGN_IN and error.response["Error"]["Code"] == "ResourceNotFoundException":
                continue  # A deployment without sign-in has none.
            yield SmokeCheck(spec.folder, False, str(error))
            continue
        except AssertionError as error:
            yield SmokeCheck(spec.folder, False, str(error))
            continue
        awake = answer == {"outcome": "awake"}
        yield SmokeCheck(spec.folder, awake, "answers" if awake else f"answers {answer}")


def _invoke(target: Target, folder: str, event: Any) -> Any:
    answer = target.session.client("lambda", config=_PATIENT).invoke(
        FunctionName=f"{target.names.function(folder)}:live", Payload=json.dumps(event).encode()
    )
    body = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise AssertionError(f"{body.get('errorType')}: {body.get('errorMessage')}")
    return body


@contextmanager
def _throw_away(target: Target, by: str) -> Iterator[tuple[Heal, App]]:
    """An app and an incident that nobody else knows, until the end."""
    name = f"smoke-{secrets.token_hex(3)}"
    heal = Heal(f"{name}-v1-canary", name, name, 1)
    # Only the caller may decide: nobody is mailed a link.
    app = App(
        name,
        (f"/self-heal/{name}",),
        f"https://github.invalid/self-heal/{name}.git",
        forge_api="https://github.invalid/api/v3",
        approvers=(by,),
    )
    incidents = target.session.resource("dynamodb").Table(target.output("IncidentsTable"))
    approvals = target.session.resource("dynamodb").Table(target.output("ApprovalsTable"))
    ssm, s3 = target.session.client("ssm"), target.session.client("s3")
    write_entry(target, app)
    try:
        # Claimed by nobody's execution: one that is started finds it taken, and ends.
        incidents.put_item(
            Item={
                "incident_id": heal.incident_id,
                "fingerprint": "v1-canary",
                "app": name,
                "status": str(Status.HEALING),
                "error_type": "IndexError",
                "title": "IndexError: this is a test by selfheal smoke",
                "occurrences": 1,
                "first_seen": utc_now(),
                "last_seen": utc_now(),
                "execution_arn": "smoke",
                "ttl": int(time.time()) + 3600,
            }
        )
        yield heal, app
    finally:
        ssm.delete_parameter(Name=f"{target.names.registry}/{name}")
        asked = incidents.get_item(Key={"incident_id": heal.incident_id}).get("Item", {}).get("approval_id")
        if asked:
            approvals.delete_item(Key={"approval_id": asked})
        incidents.delete_item(Key={"incident_id": heal.incident_id})
        for prefix in (f"{heal.prefix}/", f"runs/{heal.heal_id}/"):
            _delete_below(s3, target.output("ArtifactsBucket"), prefix)


def _delete_below(s3: S3Client, bucket: str, prefix: str) -> None:
    """Every version of the objects below a prefix: the bucket keeps what is deleted by name alone."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for row in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=bucket, Key=row["Key"], VersionId=row["VersionId"])


def _start(target: Target, heal: Heal) -> str:
    """The ARN of an execution for the incident, which has ended as Duplicate. Raises AssertionError."""
    states = target.session.client("stepfunctions")
    execution = states.start_execution(
        stateMachineArn=target.output("StateMachineArn"),
        input=json.dumps([{"incident_id": heal.incident_id}]),
    )["executionArn"]
    deadline = time.monotonic() + _EXECUTION_SECONDS
    while (status := states.describe_execution(executionArn=execution)["status"]) == "RUNNING":
        if time.monotonic() > deadline:
            raise AssertionError(f"still runs after {_EXECUTION_SECONDS} s: {execution}")
        time.sleep(0.5)
    if status != "SUCCEEDED":
        raise AssertionError(f"{status}: {execution}")
    return execution


def _workflow(target: Target, heal: Heal) -> str:
    _start(target, heal)
    return "an execution found the incident taken, and ended as Duplicate"


def _sandbox(target: Target, heal: Heal, app: App) -> str:
    """A patch is proven by a regression test, beside tests that try what must be refused."""
    frame = Frame("/var/task/probe.py", 2, "last", "return items[len(items)]", in_app=True, why="probe")
    incident = Incident(
        heal.incident_id,
        "v1-canary",
        app.name,
        Status.HEALING,
        "IndexError",
        "IndexError: list index out of range",
        frames=(frame,),
        sample="Traceback (most recent call last):\n"
        '  File "/var/task/probe.py", line 2, in last\n'
        "    return items[len(items)]\nIndexError: list index out of range\n",
    )
    members = {"probe.py": SOURCE, "tests/__init__.py": "", "tests/test_walls.py": WALLS}
    source = archive.pack([archive.Member(path, text.encode()) for path, text in members.items()])
    target.artifacts.put(heal.key(Artifact.SOURCE), source, "application/gzip")
    ValidationContext(incident, app).save(target.artifacts, heal)
    proposal = Proposal.from_json(
        {
            "root_cause": "The index is one too high.",
            "title": "Take the last item",
            "explanation": "Indexes begin at zero.",
            "edits": [{"path": "probe.py", "search": FIX[0], "replace": FIX[1]}],
            "regression_test": {"path": "tests/test_last.py", "code": REGRESSION},
            "confidence": 1.0,
        }
    )
    target.artifacts.put_json(heal.attempt_key(Artifact.PROPOSAL), proposal.to_json())
    answer = _invoke(target, "validate_patch", _state(target, heal))
    if "run" in answer:
        run = _invoke(target, "run_patch", _state(target, heal, validation=answer))
        answer = _invoke(target, "validate_patch", _state(target, heal, validation=answer, run=run))
    evidence = Evidence.from_json(target.artifacts.get_json(answer["evidence_key"]))
    found = {gate.gate: gate for gate in evidence.gates}
    for gate in ("reproduces", "regression_tests"):
        if found[gate].result is not Result.PASS:
            raise AssertionError(f"{gate}: {found[gate].result}: {found[gate].detail}")
    suite = found["regression_tests"].detail
    if not suite.startswith(f"{WALL_TESTS} tests passed"):
        raise AssertionError(f"not all of {WALL_TESTS} things were refused that must be: {suite}")
    return f"the error was reproduced and mended, and {WALL_TESTS} things were refused that must be"


def _written(target: Target, key: str) -> str:
    """The reference to what lies at the key now."""
    return reference(key, target.artifacts.get(key))


def _state(target: Target, heal: Heal, **more: Any) -> dict[str, Any]:
    return {
        "incident_id": heal.incident_id,
        "app": heal.app,
        "heal_id": heal.heal_id,
        "attempt": heal.attempt,
        "can_run": True,
        "source": {"key": _written(target, heal.key(Artifact.SOURCE)), "base_sha": _BASE},
        "proposal": {
            "outcome": "proposed",
            "key": _written(target, heal.attempt_key(Artifact.PROPOSAL)),
            "title": "Take the last item",
            "reason": "The index is one too high.",
            "confidence": 1.0,
        },
        **more,
    }


def _question(target: Target, heal: Heal, by: str) -> str:
    """AwaitApproval asks with a token that no task waits for; the answer is recorded, and finds nobody."""
    execution = _start(target, heal)
    target.incidents.transition(heal.incident_id, Status.HEALING, execution_arn=execution)
    evidence = Evidence.from_json(target.artifacts.get_json(heal.attempt_key(Artifact.EVIDENCE)))
    validation = {
        "patch_sha256": evidence.patch_sha256,
        "patch_key": _written(target, heal.attempt_key(Artifact.PATCH)),
        "evidence_key": _written(target, heal.attempt_key(Artifact.EVIDENCE)),
    }
    asked = {"task_token": "smoke", "execution_arn": execution, "redrive_count": 0}
    _invoke(target, "await_approval", _state(target, heal, validation=validation, **asked))
    approval_id = target.incidents.get(heal.incident_id).approval_id
    answer = decide(target, Order(approval_id, evidence.patch_sha256, Verdict.REJECT, "a test", "other"))
    if answer.standing is not Standing.EXPIRED or not answer.approval or answer.approval.by != by:
        raise AssertionError(f"the answer was {answer.standing}")
    return "asked, and the answer was recorded; as it must be, no task waited for it"
