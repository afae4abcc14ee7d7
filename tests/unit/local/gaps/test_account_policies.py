"""One subscription for all log groups of an account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local.gaps.test_logs import RECEIVER

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

KIND = "SUBSCRIPTION_FILTER_POLICY"


def receiver(bench: Any, name: str, *, permitted: bool = True) -> str:
    """ARN of the alias of a function that CloudWatch Logs may invoke."""
    arn: str = bench.make_function(name, RECEIVER, Publish=True)
    bench.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    if permitted:
        bench.lambda_.add_permission(
            FunctionName=name,
            Qualifier="live",
            StatementId="logs",
            Action="lambda:InvokeFunction",
            Principal="logs.amazonaws.com",
        )
    return f"{arn}:live"


def policy(destination: str, *left_out: str, **changes: Any) -> dict[str, Any]:
    document = {"DestinationArn": destination, "FilterPattern": "?ERROR ?Traceback"}
    return {
        "policyName": "all",
        "policyType": KIND,
        "policyDocument": json.dumps(document),
        "selectionCriteria": f"LogGroupName NOT IN {json.dumps(left_out)}",
    } | changes


def log(bench: Any, group: str, *messages: str) -> None:
    bench.logs.create_log_group(logGroupName=group)
    bench.logs.create_log_stream(logGroupName=group, logStreamName="s")
    events = [{"timestamp": 1_795_000_000_000, "message": message} for message in messages]
    bench.logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


@pytest.fixture(scope="module")
def subscriber(aws: Bench) -> tuple[str, str]:
    """A function that is delivered to: ARN of its alias, and its log group."""
    return receiver(aws, "account-policy"), "/aws/lambda/account-policy"


@pytest.fixture
def destination(aws: Bench, subscriber: tuple[str, str]) -> Iterator[str]:
    yield subscriber[0]
    for found in aws.logs.describe_account_policies(policyType=KIND)["accountPolicies"]:
        aws.logs.delete_account_policy(policyName=found["policyName"], policyType=KIND)


def test_ministack_has_no_account_policies(ministack: Bench, unique: str) -> None:
    with pytest.raises(ClientError, match="Unknown action"):
        ministack.logs.put_account_policy(**policy("arn:x"))


def test_every_log_group_is_delivered_but_those_left_out_also_one_that_is_made_later(
    aws: Bench, unique: str, destination: str, subscriber: tuple[str, str]
) -> None:
    own = subscriber[1]
    aws.logs.put_account_policy(**policy(destination, own, f"/{unique}/quiet"))

    log(aws, f"/{unique}/quiet", "ERROR not this one")
    log(aws, f"/{unique}/later", "ERROR this one", "INFO nor this")
    delivered = aws.wait_for(
        lambda: [one for one in aws.messages(own) if one.startswith("GOT ") and "one" in one]
    )

    assert ["this one" in one for one in delivered] == [True]
    assert "not this one" not in "".join(aws.messages(own))


def test_it_can_be_looked_at_changed_and_taken_away(aws: Bench, destination: str) -> None:
    aws.logs.put_account_policy(**policy(destination, "/a"))
    aws.logs.put_account_policy(**policy(destination, "/b"))

    (found,) = aws.logs.describe_account_policies(policyType=KIND)["accountPolicies"]
    assert found["selectionCriteria"] == 'LogGroupName NOT IN ["/b"]'
    with pytest.raises(ClientError, match="LimitExceededException"):
        aws.logs.put_account_policy(**policy(destination, policyName="another"))
    aws.logs.delete_account_policy(policyName="all", policyType=KIND)
    assert aws.logs.describe_account_policies(policyType=KIND)["accountPolicies"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.logs.delete_account_policy(policyName="all", policyType=KIND)


@pytest.mark.parametrize(
    "changes",
    [
        {"selectionCriteria": 'LogGroupName IN ["/a"]'},
        {"selectionCriteria": 'LogGroupNamePrefix NOT IN ["/a"]'},
        {"selectionCriteria": "LogGroupName NOT IN [/a]"},
        pytest.param({"selectionCriteria": f'LogGroupName NOT IN ["{"a" * 26_000}"]'}, id="too long"),
        {"policyName": "aws/all"},
        {"policyDocument": "all"},
        {"policyDocument": "{}"},
        {"policyDocument": json.dumps({"DestinationArn": "arn:aws:lambda:us-east-1:1:function:none"})},
        {"policyDocument": json.dumps({"DestinationArn": "arn:x", "Prefix": "/a"})},
    ],
    ids=str,
)
def test_what_aws_refuses_is_refused(aws: Bench, destination: str, changes: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        aws.logs.put_account_policy(**policy(destination, **changes))


def test_a_function_that_does_not_let_it_is_refused(aws: Bench, unique: str) -> None:
    arn = receiver(aws, f"{unique}-closed", permitted=False)
    with pytest.raises(ClientError, match="given CloudWatch Logs permission"):
        aws.logs.put_account_policy(**policy(arn))


def test_a_log_group_has_two_filters_besides_and_no_third(aws: Bench, unique: str, destination: str) -> None:
    aws.logs.create_log_group(logGroupName=f"/{unique}")
    for name in ("a", "b", "b"):
        aws.logs.put_subscription_filter(
            logGroupName=f"/{unique}", filterName=name, filterPattern="", destinationArn=destination
        )
    with pytest.raises(ClientError, match="LimitExceededException"):
        aws.logs.put_subscription_filter(
            logGroupName=f"/{unique}", filterName="c", filterPattern="", destinationArn=destination
        )
