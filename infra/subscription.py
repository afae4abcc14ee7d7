"""The subscription filter that sends a log group's errors to detect_errors: one definition for all.

`selfheal configure` makes the filter of a registered log group through the Logs API, so adding an app changes
no stack; the context value `log_groups` makes it part of the stack for teams that want it there. With
`subscribe=account` the stack has one policy instead, for all log groups that the account has and will have.
"""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum

from functions.core.aws.names import is_own_log_group
from infra.catalog import EVERY
from infra.names import Names
from infra.spec import May, Spec

# Any one of these terms; case matters. detect_errors judges what they let through, so they may be generous:
# every line they miss is an error that nobody hears of.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
FILTER_PATTERN = " ".join(
    (
        "?Traceback",  # printed and logged tracebacks, in plain text and inside JSON
        "?ERROR",  # Lambda's text format, and plain error records of any logger
        "?CRITICAL",
        "?errorType",  # Lambda's JSON format, uncaught errors
        "?exception",  # structured loggers, asyncio
        "?Exception",
        '?"Task timed out"',  # Lambda, out of time
        '?"Runtime exited"',  # Lambda, out of memory or killed
        '?"Process exited before completing request"',
        '?"Status: timeout"',  # Lambda's REPORT lines
        '?"Status: error"',
        '?"Out of memory"',  # the kernel
        '?"out of memory"',
        "?OOMKilled",  # Kubernetes
        "?OutOfMemoryError",  # ECS
        '?"WORKER TIMEOUT"',  # gunicorn
        '?"Hard time limit"',  # Celery
        "?HARAKIRI",  # uWSGI
        '?"Fatal Python error"',
        "?SyntaxError",  # of the main module: printed without a header
        "?IndentationError",
    )
)


MOST_FILTERS = 2
"""Subscription filters that a log group can have.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""


class Subscribe(StrEnum):
    """What is delivered: the context value `subscribe`."""

    GROUPS = "groups"
    """Log groups of registered apps."""
    ACCOUNT = "account"
    """All log groups of the account, but for those of this system."""


def discovering(spec: Spec) -> Spec:
    """A function of the catalog, where all log groups of the account are delivered."""
    if spec.folder != "detect_errors":
        return spec
    return replace(spec, settings=(*spec.settings, "discovers"), may=(*spec.may, May.DISCOVER_APPS))


def policy_document(detect_errors: str) -> dict[str, str]:
    """The account's subscription policy. detect_errors: ARN of the function's alias."""
    return {"DestinationArn": detect_errors, "FilterPattern": FILTER_PATTERN}


def selection_criteria(names: Names) -> str:
    """Every log group but those that this system writes, whose delivery would write more.

    There is no operator but this one, and no pattern in it:
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html
    """
    return f"LogGroupName NOT IN {json.dumps(own_log_groups(names))}"


def own_log_groups(names: Names) -> list[str]:
    """All log groups that a deployment may write, whatever it was deployed with."""
    return [
        *(f"/aws/lambda/{names.function(spec.folder)}" for spec in EVERY),
        f"/aws/vendedlogs/states/{names.workflow}",
        f"/aws/vendedlogs/apis/{names.prefix}approvals",
        f"/aws/vpc/{names.prefix}sandbox",
        f"/aws/codebuild/{names.builds}",
    ]


class OwnLogGroup(ValueError):
    """Subscribing this system to its own logs would make it react to itself without end."""


def checked_log_group(log_group: str) -> str:
    """The log group, if it may be subscribed. Raises OwnLogGroup."""
    if is_own_log_group(log_group):
        raise OwnLogGroup(f"log group {log_group!r} belongs to this system: it would react to its own errors")
    return log_group
