"""Templates with resources that do nothing on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded

DOMAINS = {"Type": "AWS::Route53Resolver::FirewallDomainList", "Properties": {"Domains": ["*"]}}
BLOCK = {"Action": "BLOCK", "FirewallDomainListId": {"Fn::GetAtt": ["Names", "Id"]}, "Priority": 1}
RULES = {"Type": "AWS::Route53Resolver::FirewallRuleGroup", "Properties": {"FirewallRules": [BLOCK]}}
PLACED = {
    "Type": "AWS::Route53Resolver::FirewallRuleGroupAssociation",
    "Properties": {"FirewallRuleGroupId": {"Fn::GetAtt": ["Rules", "Id"]}, "VpcId": "vpc-1", "Priority": 101},
}
METRIC = {"Namespace": "AWS/Lambda", "MetricName": "Errors"}
SUM = {"Id": "m", "MetricStat": {"Metric": METRIC, "Period": 300, "Stat": "Sum"}, "ReturnData": False}
COMPUTED = {
    "Type": "AWS::CloudWatch::Alarm",
    "Properties": {
        "AlarmName": "computed",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Metrics": [SUM, {"Id": "e", "Expression": "m + 1", "ReturnData": True}],
        "Threshold": 1,
    },
}
COMPOSITE = {
    "Type": "AWS::CloudWatch::CompositeAlarm",
    "Properties": {
        "AlarmName": "composite",
        "AlarmRule": {"Fn::Join": ["", ["ALARM(", {"Fn::GetAtt": ["Computed", "Arn"]}, ")"]]},
    },
}
QUERY = {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "q", "QueryString": "fields @message"}}
BUDGET = {
    "Type": "AWS::Budgets::Budget",
    "Properties": {"Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY"}},
}
FLOWS = {"Type": "AWS::EC2::FlowLog", "Properties": {"ResourceId": "vpc-1", "ResourceType": "VPC"}}
GROUP = {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "failures", "FilterExpression": "fault"}}
RESOURCES: dict[str, Any] = {
    "Names": DOMAINS,
    "Rules": RULES,
    "Placed": PLACED,
    "Computed": COMPUTED,
    "Composite": COMPOSITE,
    "Budget": BUDGET,
    "Flows": FLOWS,
    "Query": QUERY,
    "Group": GROUP,
}


def template(*names: str) -> str:
    return json.dumps({"Resources": {name: RESOURCES[name] for name in names}})


@pytest.mark.parametrize("name", ["Names", "Budget", "Computed", "Flows", "Query", "Group"])
def test_ministack_refuses_them(name: str, ministack: Bench, unique: str) -> None:
    formation = ministack.client("cloudformation")
    try:
        formation.create_stack(StackName=unique, TemplateBody=template(name), OnFailure="DO_NOTHING")
    except ClientError as error:
        assert RESOURCES[name]["Type"] in str(error)
        return
    formation.get_waiter("stack_exists").wait(StackName=unique)
    with pytest.raises(Exception, match="terminal failure"):
        formation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})


def test_they_come_change_and_go_with_their_stack(aws: Bench, unique: str) -> None:
    formation = aws.client("cloudformation")

    formation.create_stack(StackName=unique, TemplateBody=template(*RESOURCES))
    formation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})
    found = formation.list_stack_resources(StackName=unique)["StackResourceSummaries"]
    assert len({row["ResourceType"] for row in found}) == len(RESOURCES)

    changed = template(*RESOURCES).replace('"*"', '"example.com"').replace("m + 1", "m + 2")
    formation.update_stack(StackName=unique, TemplateBody=changed)
    formation.get_waiter("stack_update_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})

    formation.delete_stack(StackName=unique)
    formation.get_waiter("stack_delete_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})
