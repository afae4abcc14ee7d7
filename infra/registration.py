"""Registering an app: its entry, its token, and the subscription of its log groups. Changes no stack."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.core.approval.approvers import with_links
from functions.core.apps.app import App
from functions.core.apps.discovery import MODE
from functions.core.apps.entries import BESIDE
from functions.core.apps.registry import bound
from infra.errors import Exit, UserError
from infra.subscription import FILTER_PATTERN, MOST_FILTERS, OwnLogGroup, checked_log_group
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True)
class AppSecrets:
    """An app's secrets as they are given, each None where it is not. token: or what a GitHub App proves
    itself by; webhooks: text as `core.notify.webhooks` reads it; slack_secret: signs what their Slack app
    sends, and turns its buttons on; signing_key, deploy_key: SSH's, which sign commits, and which git reads
    and pushes by; model_key: for the app's own model server."""

    token: str | None = None
    webhooks: str | None = None
    slack_secret: str | None = None
    signing_key: str | None = None
    deploy_key: str | None = None
    model_key: str | None = None


NO_SECRETS = AppSecrets()

_FREE_SECONDS = 30
"""How long a deleted parameter's name is not to be given again.
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html"""


def of_its_own(app: App, flag: str) -> None:
    """Raises UserError for an app that was discovered: it has no entry of its own to be changed."""
    if app.entry != app.name:
        raise UserError(
            f"{app.name}: what has a dot in its name was discovered, and is healed as {app.entry} is, or less"
            f" where its function is tagged {MODE}",
            f"look at that: selfheal apps show {app.entry}{flag}",
            exit_code=Exit.USAGE,
        )


def register(target: Target, app: App, given: AppSecrets = NO_SECRETS) -> None:
    """Write the app's entry and what is given of its secrets, make sure the link key exists, and subscribe to
    its log groups, unless all are.

    Of log groups that the entry had before and has no more, the subscription is taken. Safe to repeat. Raises
    UserError for a log group that is this system's own, another app's, or has no room for a filter.
    """
    check(target, app)
    before = target.registry.entries().get(app.name)
    ssm = target.session.client("ssm")
    key = target.output("EntriesKeyArn")
    _ensure_link_key(ssm, target.names.link_key, key)
    names, registry = target.names, target.registry
    # Where each lies, its value as it is kept, and what the entry says once it is there.
    kept: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
        (
            name := registry.credentials_parameter(app.name),
            given.token and bound(given.token, app.host),
            {"credentials": name},
        ),
        (f"{names.webhooks}/{app.name}", given.webhooks, {}),
        (f"{names.slack_signing}/{app.name}", given.slack_secret, {"slack_buttons": True}),
        (registry.signing_parameter(app.name), given.signing_key, {"signed_commits": True}),
        (
            registry.deploy_key_parameter(app.name),
            given.deploy_key and bound(given.deploy_key, app.host),
            {"deploy_key": True},
        ),
        (
            registry.model_key_parameter(app.name),
            given.model_key and bound(given.model_key, app.model_host),
            {"model_key": True},
        ),
    )
    for name, value, said in kept:
        if value:
            ssm.put_parameter(Name=name, Value=value, Type="SecureString", KeyId=key, Overwrite=True)
            app = App.from_json(app.name, app.to_json() | said)
    write_entry(target, app)
    for group in app.log_groups:
        if target.subscribes_to_all:
            unsubscribe(target, group)  # from before: its errors would be delivered twice
        else:
            _subscribe(target, group)
    if isinstance(before, App):
        for group in set(before.log_groups) - set(app.log_groups):
            unsubscribe(target, group)
    for approver in with_links(app.approvers):
        _subscribe_person(target, approver)


def check(target: Target, app: App) -> None:
    """Raises UserError where an app cannot be registered as it is; writes nothing."""
    of_its_own(app, target.flag)
    check_name(target, app)
    for group in app.log_groups:
        try:
            checked_log_group(group)
        except OwnLogGroup as error:
            raise UserError(
                str(error), "watch the log groups of your own services only", exit_code=2
            ) from error
        if not target.subscribes_to_all:
            _check_room(target, group)
    _check_claims(target, app)


def check_name(target: Target, app: App) -> None:
    """Raises UserError for a name that another app had, whose incidents may still bear it."""
    now = target.registry.renamed().get(app.name)
    other = target.registry.entries().get(now or "")
    if isinstance(other, App) and other.log_groups != app.log_groups:
        raise UserError(
            f"{app.name} is what {now} was called before, and its incidents may still be",
            f"choose another name; or look at it: selfheal apps show {now}{target.flag}",
            exit_code=Exit.USAGE,
        )


def write_entry(target: Target, app: App) -> None:
    """Write an app's entry, and nothing else; see `put_entry`."""
    put_entry(target, app.name, json.dumps(app.stated(), indent=1))


def put_entry(target: Target, name: str, text: str) -> None:
    """Write what is to lie in the registry under an app's name, encrypted.

    One that is not encrypted yet is made anew, for which it is away for half a minute: readers find its copy
    meanwhile, and so they do where this breaks off. Safe to repeat, also at once and by somebody else: what
    is written last stays. Raises UserError where the functions that are deployed cannot read it.
    """
    name, ssm = f"{target.names.registry}/{name}", target.session.client("ssm")
    key = target.output("EntriesKeyArn")

    def put(name: str, text: str) -> None:
        ssm.put_parameter(
            Name=name,
            Value=text,
            Type="SecureString",
            KeyId=key,
            # A standard parameter holds 4 KB, which an entry with certificates may exceed.
            Tier="Intelligent-Tiering",
            Overwrite=True,
        )

    copy = name + BESIDE
    written = _type_of(ssm, name)
    if written == "String" or (not written and _type_of(ssm, copy)):
        put(copy, text)
        with suppress(ssm.exceptions.ParameterNotFound):
            ssm.delete_parameter(Name=name)
        sleep(_FREE_SECONDS)
        try:
            text = ssm.get_parameter(Name=copy, WithDecryption=True)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            return  # Somebody else has finished it meanwhile, or removed the app.
    put(name, text)
    with suppress(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name=copy)


def _type_of(ssm: SSMClient, name: str) -> str:
    try:
        return ssm.get_parameter(Name=name)["Parameter"]["Type"]
    except ssm.exceptions.ParameterNotFound:
        return ""


def not_encrypted(target: Target) -> list[str]:
    """Names of the apps whose entries are Strings, as they were once written, or are still to be put back."""
    path = target.names.registry
    pages = target.session.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    types = {
        row["Name"].removeprefix(f"{path}/"): row["Type"] for page in pages for row in page["Parameters"]
    }
    found = {name.removesuffix(BESIDE) for name in types if name.endswith(BESIDE) or types[name] == "String"}
    return sorted(found)


def claimed_by_others(target: Target, name: str, groups: Iterable[str]) -> dict[str, str]:
    """Which of these log groups another app has: group → its name."""
    return {
        group: other.name
        for other in target.registry.registered()
        for group in groups
        if other.name != name and group in other.log_groups
    }


def _check_claims(target: Target, app: App) -> None:
    """An error belongs to one app. Raises UserError where two would claim it."""
    for group, other in claimed_by_others(target, app.name, app.log_groups).items():
        raise UserError(
            f"log group {group} belongs to app {other} already",
            f"take it from there first, or use that app: selfheal apps show {other}{target.flag}",
        )


def unsubscribe(target: Target, group: str) -> bool:
    """Take our subscription filter from a log group; False if it, or the group, is gone already."""
    logs = target.session.client("logs")
    try:
        logs.delete_subscription_filter(logGroupName=group, filterName=target.names.filter)
    except logs.exceptions.ResourceNotFoundException:
        return False
    return True


def _ensure_link_key(ssm: Any, name: str, key: str) -> None:
    try:
        ssm.put_parameter(
            Name=name,
            Value=secrets.token_urlsafe(32),
            Type="SecureString",
            KeyId=key,
            Overwrite=False,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise


def _subscribe_person(target: Target, address: str) -> None:
    """Let a person have the links that are theirs: AWS asks them to confirm, once. Anybody else's pass by.

    https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
    """
    if "@" not in address:
        return  # a name of the sign-in's, which has no mailbox
    policy = json.dumps({"recipient": [address]})
    target.session.client("sns").subscribe(
        TopicArn=target.output("PersonalTopicArn"),
        Protocol="email",
        Endpoint=address,
        Attributes={"FilterPolicy": policy},
    )


def _subscribe(target: Target, group: str) -> None:
    target.session.client("logs").put_subscription_filter(
        logGroupName=group,
        filterName=target.names.filter,
        filterPattern=FILTER_PATTERN,
        destinationArn=target.output("DetectErrorsArn"),
    )


def _check_room(target: Target, group: str) -> None:
    """Raises UserError for a log group that does not exist, or has no room for our filter."""
    logs = target.session.client("logs")
    try:
        rows = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    except logs.exceptions.ResourceNotFoundException as error:
        raise UserError(
            f"log group {group} does not exist in this account and region",
            "deploy the service first, or correct the name",
        ) from error
    if len(rows) >= MOST_FILTERS and target.names.filter not in (row["filterName"] for row in rows):
        raise UserError(
            f"log group {group} has two subscription filters already, the most that AWS allows",
            "remove one, or send the logs through a stream that this system can share",
        )
