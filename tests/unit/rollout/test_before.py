"""What is missing before a deployment is found, and each time the command that mends it is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from infra.doctor.checks import Fault, examine
from infra.names import DEFAULT, Names
from infra.rollout import before
from infra.rollout.before import Before


@dataclass(frozen=True)
class Ready:
    """An account in which a deployment can begin."""

    names: Names = DEFAULT
    options: dict[str, str] = field(default_factory=dict)
    builds_images: bool = True
    region: str = "eu-central-1"
    account: str = "111122223333"
    bootstrap_version: int = 28
    status: str = ""
    docker_answers: bool = True
    concurrency: int = 1000
    account_policy: str = ""


SEEDED: list[tuple[Any, dict[str, Any], str, str]] = [
    (before.region_is_chosen, {"region": ""}, "no region", "export AWS_REGION"),
    (before.account_answers, {"account": ""}, "no account", "aws sso login"),
    (before.account_is_bootstrapped, {"bootstrap_version": 0}, "not bootstrapped", "--bootstrap"),
    (before.account_is_bootstrapped, {"bootstrap_version": 5}, "has version 5", "--bootstrap"),
    (before.docker_runs, {"docker_answers": False}, "docker info", "docker"),
    (before.concurrency_can_be_reserved, {"concurrency": 10}, "10 functions", "service-quotas"),
    (
        before.account_has_room_for_a_policy,
        {"options": {"subscribe": "account"}, "account_policy": "datadog"},
        "has the subscription policy datadog",
        "delete-account-policy",
    ),
    (
        before.stack_can_be_changed,
        {"status": "UPDATE_IN_PROGRESS"},
        "IN_PROGRESS",
        "describe-stack-events",
    ),
    (before.stack_can_be_changed, {"status": "DELETE_FAILED"}, "DELETE_FAILED", "selfheal destroy"),
    (
        before.stack_can_be_changed,
        {"status": "DELETE_FAILED", "names": Names("beta")},
        "SelfHealingCode-beta",
        "selfheal destroy --stage beta",
    ),
]
HARMLESS: list[dict[str, Any]] = [
    {},
    {"status": "UPDATE_ROLLBACK_COMPLETE"},
    {"status": "ROLLBACK_COMPLETE"},
    {"status": "REVIEW_IN_PROGRESS"},
    {"docker_answers": False, "builds_images": False},
    {"concurrency": 10, "options": {"reserve_concurrency": "false"}},
    {"concurrency": 10, "options": {"reserve_concurrency": "False"}},
    {"account_policy": "datadog"},
    {"options": {"subscribe": "account"}},
    {"options": {"subscribe": "account"}, "account_policy": DEFAULT.filter},
]


@pytest.mark.parametrize(("check", "seen", "detail", "mend"), SEEDED)
def test_what_is_missing_is_found(check: Any, seen: dict[str, Any], detail: str, mend: str) -> None:
    found: Fault | None = check(Ready(**seen))

    assert found
    assert detail in found.detail
    assert mend in found.mend


@pytest.mark.parametrize("seen", HARMLESS, ids=str)
def test_a_deployment_may_begin(seen: dict[str, Any]) -> None:
    ready: Any = Ready(**seen)

    assert [finding for finding in examine(before.CHECKS, ready) if not finding.passed] == []


def test_every_check_is_seeded() -> None:
    assert {check for check, *_ in SEEDED} == set(before.CHECKS)


def test_an_account_is_looked_at(aws: None) -> None:
    ssm = boto3.client("ssm")
    seen = Before(boto3.Session(), DEFAULT, {}, builds_images=False)

    assert (seen.region, len(seen.account)) == ("us-east-1", 12)
    assert seen.bootstrap_version == 0
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="28", Type="String")
    assert seen.bootstrap_version == 28


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_what_a_failed_first_deployment_left_may_be_deleted_by_the_next(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CDK protects a stack before it makes anything of it, and cannot remove it then."""
    session = boto3.Session("key", "secret", region_name="eu-central-1")
    formation = session.client("cloudformation")
    monkeypatch.setattr(session, "client", lambda service: formation)
    seen = Before(session, DEFAULT, {}, builds_images=False)
    with Stubber(formation) as stub:
        found = {"StackName": DEFAULT.stack, "StackStatus": status, "CreationTime": datetime.now(UTC)}
        stub.add_response("describe_stacks", {"Stacks": [found]}, {"StackName": DEFAULT.stack})
        unprotected = {"StackName": DEFAULT.stack, "EnableTerminationProtection": False}
        stub.add_response("update_termination_protection", {"StackId": "id"}, unprotected)

        assert seen.was_never_deployed
        seen.release()
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "status", ["", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"]
)
def test_what_was_ever_deployed_stays_protected(status: str) -> None:
    seen = Before(boto3.Session("key", "secret"), DEFAULT, {}, builds_images=False)
    seen.__dict__["status"] = status
    assert not seen.was_never_deployed
