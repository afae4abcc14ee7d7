"""A second deployment beside the first: deployed by the CDK, used, and removed without a trace."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from infra.cli.connect import Place
from infra.local import emulator
from infra.names import Names
from infra.rollout import removal

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

SELFHEAL = str(Path(sys.executable).with_name("selfheal"))
BETA = Names("beta")


def inventory(client: Callable[[str], Any]) -> set[str]:
    """Everything that exists in the account and region, by the services' own lists."""
    return {f"{service}: {name}" for service, name in _listed(client)}


def _listed(client: Callable[[str], Any]) -> Iterator[tuple[str, str]]:
    for service, operation, rows, field in (
        ("apigatewayv2", "get_apis", "Items", "ApiId"),
        ("cloudformation", "describe_stacks", "Stacks", "StackName"),
        ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        ("cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName"),
        ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
        ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
        ("ec2", "describe_subnets", "Subnets", "SubnetId"),
        ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
        ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
        ("events", "list_rules", "Rules", "Name"),
        ("events", "list_event_buses", "EventBuses", "Name"),
        ("iam", "list_policies", "Policies", "Arn"),
        ("iam", "list_roles", "Roles", "RoleName"),
        ("lambda", "list_functions", "Functions", "FunctionName"),
        ("lambda", "list_layers", "Layers", "LayerName"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("pipes", "list_pipes", "Pipes", "Name"),
        ("s3", "list_buckets", "Buckets", "Name"),
        ("scheduler", "list_schedules", "Schedules", "Name"),
        ("secretsmanager", "list_secrets", "SecretList", "Name"),
        ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        ("sns", "list_topics", "Topics", "TopicArn"),
        ("ssm", "describe_parameters", "Parameters", "Name"),
        ("stepfunctions", "list_state_machines", "stateMachines", "stateMachineArn"),
    ):
        asked = client(service)
        pages = (
            asked.get_paginator(operation).paginate()
            if asked.can_paginate(operation)
            else [getattr(asked, operation)()]
        )
        for page in pages:
            for row in page.get(rows, []):
                yield f"{service} {rows}", str(row[field])
    policies = client("logs").describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")
    yield from (("account policy", row["policyName"]) for row in policies["accountPolicies"])
    yield from (("dynamodb", name) for name in client("dynamodb").list_tables()["TableNames"])
    yield from (("sqs", url) for url in client("sqs").list_queues().get("QueueUrls", []))
    yield from (("codebuild", name) for name in client("codebuild").list_projects()["projects"])
    for key in (row["KeyId"] for row in client("kms").list_keys()["Keys"]):
        if client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
            yield "kms", key
    for group in client("logs").describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for one in client("logs").describe_subscription_filters(logGroupName=name)["subscriptionFilters"]:
            yield "filter", f"{name} {one['filterName']}"


@pytest.fixture
def selfheal(world: World) -> Callable[..., subprocess.CompletedProcess[str]]:
    folder = Path(world.run.home).parent

    def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        command = [SELFHEAL, *arguments, "--local", "--stage", BETA.stage]
        return subprocess.run(command, cwd=folder, input=said, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def beta(world: World) -> World:
    """The system as it is seen from the second deployment."""
    session = world.run.session()
    place = Place(session, emulator.environment(world.run.endpoint))
    other = replace(world, _clients={})
    other.__dict__["target"] = world.run.target(BETA, place.outputs(BETA))
    return other


def test_a_stage_is_deployed_used_and_removed_and_nothing_is_left(
    world: World, selfheal: Callable[..., subprocess.CompletedProcess[str]], request: pytest.FixtureRequest
) -> None:
    before = inventory(world.client)

    shown = selfheal("deploy", "--diff")
    assert shown.returncode == 0, shown.stderr
    assert "AWS::StepFunctions::StateMachine" in shown.stdout + shown.stderr
    assert inventory(world.client) == before, "a look changes nothing"
    refused = selfheal("deploy", said="n\n")
    assert (refused.returncode, inventory(world.client) - before) == (1, set())
    done = selfheal("deploy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "selfheal configure --local --stage beta" in done.stdout

    beta: World = request.getfixturevalue("beta")
    app = beta.app()
    beta.log(app)
    asked = beta.until(app, Status.AWAITING_APPROVAL)
    beta.decide(asked, Verdict.APPROVE)
    beta.until(app, Status.PR_OPEN)
    waiting = beta.app()
    beta.log(waiting)
    beta.until(waiting, Status.AWAITING_APPROVAL)
    assert world.incidents(app) == [], "the other deployment saw nothing of it"

    refused = selfheal("destroy", "--data", said="SelfHealingCode\n")
    assert refused.returncode == 1, "that is another one's name"
    assert selfheal("destroy", "--dry-run").returncode == 0
    beta.until(waiting, Status.AWAITING_APPROVAL)
    kept = selfheal("destroy", said="SelfHealingCode-beta\n")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    left = inventory(world.client) - before
    own = {f"logs logGroups: {group}" for each in (app, waiting) for group in each.log_groups}
    assert {row.split(":")[0] for row in left - own} == {"dynamodb", "s3 Buckets", "kms"}, "data is kept"
    done = selfheal("destroy", "--data", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr

    assert inventory(world.client) - before == own, "the services that were watched stay"
    assert before - inventory(world.client) == set(), "so does the other deployment"
    assert removal.DeployedStack(world.run.session(), BETA, "").left() == []
