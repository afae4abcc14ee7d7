"""What there is in the embedded account, to be compared before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


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
