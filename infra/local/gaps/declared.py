"""Resources in CloudFormation that MiniStack refuses, kept by name: they do nothing on this machine.

Nothing here resolves names for code under test: behind the wall of the embedded run there is no network at
all. Nobody is rung out of bed by a composite alarm of this machine, and nothing costs anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from infra.local.gaps.patching import service

Properties = dict[str, Any]

_HERE = "arn:aws:{}:us-east-1:111122223333:{}"


def _numbered(prefix: str) -> Callable[[Properties], tuple[str, dict[str, str]]]:
    """A resource that is known by an id, which the service makes."""

    def made(properties: Properties) -> tuple[str, dict[str, str]]:
        identifier = f"{prefix}-{secrets.token_hex(8)}"
        return identifier, {"Id": identifier}

    return made


def _named(field: str, arn: str = "") -> Callable[[Properties], tuple[str, dict[str, str]]]:
    """A resource that is known by one of its properties. arn: its service and kind, where it has one."""

    def made(properties: Properties) -> tuple[str, dict[str, str]]:
        name = str(properties[field])
        kind, _, what = arn.partition(" ")
        return name, {"Arn": _HERE.format(kind, what + name)} if arn else {}

    return made


def _registry(properties: Properties) -> tuple[str, dict[str, str]]:
    name = str(properties["RegistryName"])
    return name, {"RegistryName": name, "RegistryArn": _HERE.format("schemas", f"registry/{name}")}


TYPES: dict[str, Callable[[Properties], tuple[str, dict[str, str]]]] = {
    "AWS::Route53Resolver::FirewallDomainList": _numbered("rslvr-fdl"),
    "AWS::Route53Resolver::FirewallRuleGroup": _numbered("rslvr-frg"),
    "AWS::Route53Resolver::FirewallRuleGroupAssociation": _numbered("rslvr-frgassoc"),
    "AWS::CloudWatch::CompositeAlarm": _named("AlarmName", "cloudwatch alarm:"),
    "AWS::CloudWatch::InsightRule": _named("RuleName", "cloudwatch insight-rule/"),
    "AWS::Budgets::Budget": _numbered("budget"),
    "AWS::EC2::FlowLog": _numbered("fl"),
    "AWS::Logs::QueryDefinition": _numbered("query"),
    "AWS::XRay::Group": _named("GroupName"),
    "AWS::EventSchemas::Registry": _registry,
    "AWS::EventSchemas::Schema": _named("SchemaName"),
}
"""How each is known, and what can be asked of it."""


_DEEDS = ("create", "update", "delete")


def fill() -> None:
    handlers = service("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    for kind, made in TYPES.items():
        handlers[kind] = {"create": _creating(made), "update": _update, "delete": _delete}
    _without_mathematics(handlers["AWS::CloudWatch::Alarm"])


def _without_mathematics(handler: dict[str, Any]) -> None:
    """MiniStack's alarms are on one metric; one that computes with several is kept by its name."""
    kept = _named("AlarmName", "cloudwatch alarm:")
    create, update, delete = (handler[deed] for deed in _DEEDS)

    def made(logical_id: str, properties: Properties, stack_name: str) -> Any:
        return kept(properties) if "Metrics" in properties else create(logical_id, properties, stack_name)

    def changed(physical_id: str, old: Properties, new: Properties, stack_name: str, *known: str) -> Any:
        if "Metrics" in new:
            return kept(new)
        return update(physical_id, old, new, stack_name, *known)

    def gone(physical_id: str, properties: Properties) -> None:
        if "Metrics" not in properties:
            delete(physical_id, properties)

    handler.update(zip(_DEEDS, (made, changed, gone), strict=True))


def _creating(made: Callable[[Properties], tuple[str, dict[str, str]]]) -> Any:
    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, str]]:
        return made(properties)

    return create


def _update(
    physical_id: str, old: Properties, new: Properties, stack_name: str
) -> tuple[str, dict[str, str]]:
    return physical_id, {"Id": physical_id}


def _delete(physical_id: str, properties: Properties) -> None:
    """There is nothing to delete."""
