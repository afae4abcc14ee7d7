"""Route 53's DNS Firewall in CloudFormation: its resources are kept by name, and filter nothing.

MiniStack refuses a template that has them. Nothing here resolves names for code under test: behind the wall
of the embedded run there is no network at all.
"""

from __future__ import annotations

import secrets
from typing import Any

from infra.local.gaps.patching import service

TYPES = {
    "AWS::Route53Resolver::FirewallDomainList": "rslvr-fdl",
    "AWS::Route53Resolver::FirewallRuleGroup": "rslvr-frg",
    "AWS::Route53Resolver::FirewallRuleGroupAssociation": "rslvr-frgassoc",
}
"""How the ids of each begin."""


def fill() -> None:
    handlers = service("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    for kind, prefix in TYPES.items():
        handlers[kind] = {"create": creating(prefix), "update": update, "delete": delete}


def creating(prefix: str) -> Any:
    """Makes resources that have an id and nothing else."""

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        identifier = f"{prefix}-{secrets.token_hex(8)}"
        return identifier, {"Id": identifier}

    return create


def update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, str]]:
    return physical_id, {"Id": physical_id}


def delete(physical_id: str, properties: dict[str, Any]) -> None:
    """There is nothing to delete."""
