"""Registering an app: its entry, its token, and the subscription of its log groups. Changes no stack."""

from __future__ import annotations

import json
import secrets
from typing import Any

from botocore.exceptions import ClientError

from functions.core.app import App
from functions.core.approvers import with_links
from functions.core.registry import bound
from infra.errors import UserError
from infra.names import (
    LINK_KEY_PARAMETER,
    REGISTRY_PATH,
    SLACK_SIGNING_PATH,
    WEBHOOKS_PATH,
)
from infra.subscription import FILTER_NAME, FILTER_PATTERN, OwnLogGroup, checked_log_group
from infra.target import Target


def register(
    target: Target,
    app: App,
    token: str | None = None,
    webhooks: str | None = None,
    slack_secret: str | None = None,
) -> None:
    """Write the app's entry, make sure the link key exists, and subscribe to its log groups.

    Token, webhooks (text as `functions.core.webhooks` reads it) and the signing secret of the Slack app that
    has the webhooks, which turns the buttons on, are written where they are given. Safe to repeat. Raises
    UserError for a log group that is this system's own or has no room for a filter.
    """
    for group in app.log_groups:
        try:
            checked_log_group(group)
        except OwnLogGroup as error:
            raise UserError(
                str(error), "watch the log groups of your own services only", exit_code=2
            ) from error
    ssm = target.session.client("ssm")
    key = target.output("DataKeyArn")
    _ensure_link_key(ssm, key)
    if token:
        name, value = app.credentials_parameter, bound(token, app)
        ssm.put_parameter(Name=name, Value=value, Type="SecureString", KeyId=key, Overwrite=True)
        app = App.from_json(app.name, app.to_json() | {"credentials": name})
    if webhooks:
        name = f"{WEBHOOKS_PATH}/{app.name}"
        ssm.put_parameter(Name=name, Value=webhooks, Type="SecureString", KeyId=key, Overwrite=True)
    if slack_secret:
        name = f"{SLACK_SIGNING_PATH}/{app.name}"
        ssm.put_parameter(Name=name, Value=slack_secret, Type="SecureString", KeyId=key, Overwrite=True)
        app = App.from_json(app.name, app.to_json() | {"slack_buttons": True})
    value = json.dumps(app.to_json(), indent=1)
    ssm.put_parameter(Name=f"{REGISTRY_PATH}/{app.name}", Value=value, Type="String", Overwrite=True)
    for group in app.log_groups:
        _subscribe(target, group)
    for approver in with_links(app.approvers):
        _subscribe_person(target, approver)


def _ensure_link_key(ssm: Any, key: str) -> None:
    try:
        ssm.put_parameter(
            Name=LINK_KEY_PARAMETER,
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
    logs = target.session.client("logs")
    destination = target.output("DetectErrorsArn")
    try:
        logs.put_subscription_filter(
            logGroupName=group,
            filterName=FILTER_NAME,
            filterPattern=FILTER_PATTERN,
            destinationArn=destination,
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            raise UserError(
                f"log group {group} does not exist in this account and region",
                "deploy the service first, or correct the name",
            ) from error
        if code == "LimitExceededException":
            raise UserError(
                f"log group {group} has two subscription filters already, the most that AWS allows",
                "remove one, or send the logs through a stream that this system can share",
            ) from error
        raise
