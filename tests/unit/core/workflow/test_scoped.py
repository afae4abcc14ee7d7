"""A step's session for the artifacts of its heal. That IAM holds it to them: tests/e2e/test_artifacts.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from functions.core.aws.settings import Settings
from functions.core.workflow import scoped
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import s3_of

ROLE = "arn:aws:iam::123456789012:role/artifacts"
SETTINGS = Settings(artifacts_bucket="artifacts", artifacts_role_arn=ROLE)
SESSION = boto3.Session(region_name="us-east-1")
HEAL = Heal("orders-v1-abc", "orders", "8f0c:1", 2)


@pytest.fixture
def sts(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """STS, which answers what is expected of it and nothing else."""
    scoped._credentials.cache_clear()
    client = SESSION.client("sts")
    make = SESSION.client

    def of(name: str, **options: Any) -> Any:
        return client if name == "sts" else make(name, **options)  # type: ignore[call-overload]  # any service

    monkeypatch.setattr(SESSION, "client", of)
    with Stubber(client) as stubber:
        yield stubber
    scoped._credentials.cache_clear()


def lends(stubber: Stubber, heal: Heal, key: str) -> None:
    credentials = {
        "AccessKeyId": key.ljust(16, "X"),
        "SecretAccessKey": "secret",
        "SessionToken": "token",
        "Expiration": "2030-01-01T00:00:00Z",
    }
    expected = {
        "RoleArn": ROLE,
        "RoleSessionName": ANY,
        "DurationSeconds": 3600,
        "Tags": [
            {"Key": "incident", "Value": heal.incident_id},
            {"Key": "heal", "Value": heal.heal_id},
        ],
    }
    stubber.add_response("assume_role", {"Credentials": credentials}, expected)


def key_of(client: Any) -> str:
    return str(client._request_signer._credentials.access_key).rstrip("X")


def test_a_session_is_of_one_heal_and_kept_for_it(sts: Stubber) -> None:
    other = Heal("orders-v1-abc", "orders", "9a1d")
    lends(sts, HEAL, "FIRST")
    lends(sts, other, "SECOND")
    lends(sts, HEAL, "THIRD")

    assert [key_of(s3_of(heal, SETTINGS, SESSION)) for heal in (HEAL, HEAL, other, HEAL)] == [
        "FIRST",
        "FIRST",
        "SECOND",
        "THIRD",
    ]


def test_every_invocation_finds_time_left_in_it(sts: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is used has more left than the 15 minutes that a function may take."""
    lent_at: dict[str, float] = {}
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    for number in range(10):
        lends(sts, HEAL, f"N{number}")
    for _ in range(200):
        key = key_of(s3_of(HEAL, SETTINGS, SESSION))
        lent_at.setdefault(key, now)
        assert lent_at[key] + 3600 - now > 900
        now += 97
    assert len(lent_at) < 10


@pytest.mark.parametrize("heal_id", ["8f0c:1", "x", "é" * 90, "a" * 80])
def test_whatever_an_execution_is_called_the_session_has_a_name(heal_id: str, sts: Stubber) -> None:
    """The service model checks it: 2 to 64 characters of a few kinds."""
    heal = Heal("orders-v1-abc", "orders", heal_id)
    lends(sts, heal, "FIRST")

    assert key_of(s3_of(heal, SETTINGS, SESSION)) == "FIRST"
