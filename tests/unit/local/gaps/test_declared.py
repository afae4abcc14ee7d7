"""Templates with Route 53's DNS Firewall."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.embedded


def template(*domains: str) -> str:
    names = {"Type": "AWS::Route53Resolver::FirewallDomainList", "Properties": {"Domains": domains}}
    block = {"Action": "BLOCK", "FirewallDomainListId": {"Fn::GetAtt": ["Names", "Id"]}, "Priority": 1}
    rules = {"Type": "AWS::Route53Resolver::FirewallRuleGroup", "Properties": {"FirewallRules": [block]}}
    placed = {
        "Type": "AWS::Route53Resolver::FirewallRuleGroupAssociation",
        "Properties": {
            "FirewallRuleGroupId": {"Fn::GetAtt": ["Rules", "Id"]},
            "VpcId": "vpc-1",
            "Priority": 101,
        },
    }
    return json.dumps({"Resources": {"Names": names, "Rules": rules, "Placed": placed}})


def test_ministack_refuses_them(ministack: Any, unique: str) -> None:
    with pytest.raises(ClientError, match="FirewallRuleGroup"):
        ministack.client("cloudformation").create_stack(StackName=unique, TemplateBody=template("*"))


def test_they_come_change_and_go_with_their_stack(aws: Any, unique: str) -> None:
    formation = aws.client("cloudformation")

    formation.create_stack(StackName=unique, TemplateBody=template("*"))
    formation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})
    kinds = {
        row["ResourceType"]
        for row in formation.list_stack_resources(StackName=unique)["StackResourceSummaries"]
    }
    assert len(kinds) == 3

    formation.update_stack(StackName=unique, TemplateBody=template("*", "example.com"))
    formation.get_waiter("stack_update_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})

    formation.delete_stack(StackName=unique)
    formation.get_waiter("stack_delete_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})
