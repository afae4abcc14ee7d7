"""What a deployment may choose, as text of the command line and as JSON of `cdk.json`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from infra.app import use_bundled_node
from infra.names import Names
from infra.packaging import Packaging
from infra.subscription import Subscribe


@pytest.fixture(scope="module")
def options() -> Callable[..., Any]:
    if "JSII_NODE" not in os.environ:
        use_bundled_node()
    from aws_cdk import App

    from infra.synthesis import options_from

    def read(**context: Any) -> Any:
        return options_from(App(analytics_reporting=False, context=context))

    return read


@pytest.mark.parametrize(
    ("name", "given", "means"),
    [
        ("reserve_concurrency", "false", False),
        ("reserve_concurrency", False, False),
        ("reserve_concurrency", True, True),
        ("reserve_concurrency", "True", True),
        ("stage", "beta", Names("beta")),
        ("heals_at_once", "50", 50),
        ("budget_usd", 100, 100),
        ("approval_hours", "48", 48),
        ("approval_hours", 48, 48),
        ("log_groups", "/a,/b", ("/a", "/b")),
        ("log_groups", ["/a", "/b"], ("/a", "/b")),
        ("log_groups", [], ()),
        ("log_groups", "", ()),
        ("availability_zones", "eu-central-1a, eu-central-1c", ("eu-central-1a", "eu-central-1c")),
        ("availability_zones", ["eu-central-1a"], ("eu-central-1a",)),
        ("packaging", "zip", Packaging.ZIP),
        ("subscribe", "account", Subscribe.ACCOUNT),
        ("subscribe", "", Subscribe.GROUPS),
    ],
)
def test_text_and_json_mean_the_same(name: str, given: Any, means: Any, options: Callable[..., Any]) -> None:
    assert getattr(options(**{name: given}), name) == means


def test_an_option_that_there_is_none_of_is_refused_and_the_cdks_own_context_is_not(
    options: Callable[..., Any],
) -> None:
    """It would be deployed without it, and nobody would know."""
    with pytest.raises(ValueError, match="'aproval_hours': did you mean approval_hours"):
        options(aproval_hours=48)
    cdks = {"@aws-cdk/core:x": True, "availability-zones:account=1:region=r": ["r1"], "hosted-zone:x": {}}
    assert options(**cdks) == options()


def test_a_log_group_is_not_subscribed_twice(options: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="log_groups are subscribed already"):
        options(log_groups="/a", subscribe="account")


def test_sign_in_is_text_or_a_list(options: Callable[..., Any]) -> None:
    text = options(sign_in="https://issuer.example,client,sub").sign_in

    assert options(sign_in=["https://issuer.example", "client", "sub"]).sign_in == text
    assert (text.issuer, text.client_id, text.claim) == ("https://issuer.example", "client", "sub")


def test_nothing_given_is_the_default(options: Callable[..., Any]) -> None:
    from infra.stack import StackOptions

    assert options() == StackOptions()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("reserve_concurrency", "no"),
        ("reserve_concurrency", 2),
        ("approval_hours", "a week"),
        ("approval_hours", 1.5),
        ("approval_hours", True),
        ("approval_hours", -1),
        ("heals_at_once", 0),
        ("log_groups", {"a": 1}),
        ("log_groups", [1]),
        ("availability_zones", True),
        ("packaging", "tar"),
        ("sign_in", {"issuer": "x"}),
        ("subscribe", "all"),
        ("subscribe", True),
    ],
)
def test_anything_else_is_refused_with_the_name_of_the_option(
    name: str, given: Any, options: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*must be"):
        options(**{name: given})


@pytest.mark.parametrize("hours", [0, 9000])
def test_a_time_to_decide_that_aws_refuses_says_so(hours: int, options: Callable[..., Any]) -> None:
    from infra.workflow import definition_text

    with pytest.raises(ValueError, match="approval_hours"):
        definition_text(options(approval_hours=hours).approval_hours)


def test_every_option_can_be_given(options: Callable[..., Any]) -> None:
    from dataclasses import fields

    from infra.stack import StackOptions
    from infra.synthesis import _READ

    assert {field.name for field in fields(StackOptions)} == _READ.keys()
