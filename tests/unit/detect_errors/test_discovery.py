"""Whose a delivered log group is: asked seldom, and remembered, whatever is delivered."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.exceptions import ClientError

from functions.core.apps.registry import Registry
from functions.detect_errors.discovery import KEEP_SECONDS, MOST_KEPT, Discovery

ORDERS = {"self-heal:repository": "https://github.com/acme/orders.git"}


class Functions:
    """Lambda's API as far as tags go: `tags` by function, `error` what it answers instead."""

    meta = SimpleNamespace(region_name="eu-central-1")

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}
        self.error = ""
        self.asked: list[str] = []

    def list_tags(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked["Resource"])
        name = asked["Resource"].rpartition(":")[2]
        code = self.error or ("" if name in self.tags else "ResourceNotFoundException")
        if code:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "ListTags")
        return {"Tags": self.tags[name]}


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.functions = Functions()
        self.registry = Registry(
            "/self-heal/apps", SSMProvider(boto3_client=boto3.client("ssm")), lambda: self.now
        )
        client: Any = self.functions
        self.discovery = Discovery(client, self.registry, "aws", lambda: self.now)

    def whose(self, group: str) -> str:
        app = self.discovery.app_of(group, "111122223333")
        return app.name if app else ""


@pytest.fixture
def world(aws: None) -> World:
    boto3.client("ssm").put_parameter(
        Name="/self-heal/apps/acme",
        Value=json.dumps({"repository": "https://github.com/acme/*"}),
        Type="SecureString",
    )
    return World()


def test_a_tagged_function_is_an_app_that_every_step_finds(world: World) -> None:
    world.functions.tags["orders"] = ORDERS

    name = world.whose("/aws/lambda/orders")

    assert world.registry.app(name).slug == "acme/orders"
    assert world.functions.asked == ["arn:aws:lambda:eu-central-1:111122223333:function:orders"]


def test_a_storm_costs_one_question_in_some_minutes_be_it_anybodys_or_nobodys(world: World) -> None:
    world.functions.tags |= {"orders": ORDERS, "stranger": {"team": "x"}}
    for _ in range(100):
        for group in ("orders", "stranger", "gone"):
            world.whose(f"/aws/lambda/{group}")

    assert len(world.functions.asked) == 3


def test_a_tag_counts_and_counts_no_more_after_these_minutes(world: World) -> None:
    assert world.whose("/aws/lambda/orders") == ""
    world.functions.tags["orders"] = ORDERS
    assert world.whose("/aws/lambda/orders") == ""
    world.now += KEEP_SECONDS
    name = world.whose("/aws/lambda/orders")
    assert name
    world.functions.tags["orders"] = ORDERS | {"self-heal:mode": "observe"}
    world.now += KEEP_SECONDS
    assert world.whose("/aws/lambda/orders") == name
    assert world.registry.app(name).mode == "observe"
    world.functions.tags["orders"] = {}
    world.now += KEEP_SECONDS
    assert world.whose("/aws/lambda/orders") == ""
    assert world.registry.app(name), "its heals go on"


@pytest.mark.parametrize(
    "group",
    [
        "/ecs/orders",
        "/222222222222/aws/lambda/orders",
        "/aws/lambda/orders/x",
        "/aws/lambda/",
        "/aws/lambda/" + "x" * 65,
    ],
)
def test_what_is_no_functions_own_log_group_of_this_account_costs_nothing(world: World, group: str) -> None:
    world.functions.tags["orders"] = ORDERS

    assert world.whose(group) == ""
    assert world.functions.asked == []


def test_without_a_family_nobody_is_asked(world: World) -> None:
    boto3.client("ssm").delete_parameter(Name="/self-heal/apps/acme")

    assert world.whose("/aws/lambda/orders") == ""
    assert world.functions.asked == []


@pytest.mark.parametrize(
    ("code", "raised"),
    [("AccessDeniedException", False), ("TooManyRequestsException", True), ("ServiceException", True)],
)
def test_what_a_retry_may_mend_is_raised_and_not_remembered(world: World, code: str, raised: bool) -> None:
    world.functions.tags["orders"] = ORDERS
    world.functions.error = code
    if raised:
        with pytest.raises(ClientError):
            world.whose("/aws/lambda/orders")
    else:
        assert world.whose("/aws/lambda/orders") == ""
    world.functions.error = ""
    assert bool(world.whose("/aws/lambda/orders")) is raised


def test_a_name_that_is_taken_is_not_given_to_another_function(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest in it is short, so that somebody may find tags that make the same."""
    world.functions.tags |= {"orders": ORDERS, "Orders": ORDERS}
    one: Callable[..., str] = lambda family, *said: "acme.orders-1"  # noqa: E731 (as short as it is)
    monkeypatch.setattr("functions.core.apps.discovery._name", one)

    assert world.whose("/aws/lambda/orders") == "acme.orders-1"
    assert world.whose("/aws/lambda/Orders") == ""
    assert world.registry.app("acme.orders-1").log_groups == ("/aws/lambda/orders",)


def test_what_is_remembered_is_bounded(world: World) -> None:
    for number in range(MOST_KEPT + 10):
        world.whose(f"/aws/lambda/f{number}")

    assert len(world.functions.asked) == MOST_KEPT + 10
    world.whose(f"/aws/lambda/f{MOST_KEPT + 9}")
    assert len(world.functions.asked) == MOST_KEPT + 10, "the newest are known"
    world.whose("/aws/lambda/f0")
    assert len(world.functions.asked) == MOST_KEPT + 11
