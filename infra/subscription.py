"""The subscription filter that sends a log group's errors to detect_errors: one definition for all.

`selfheal configure` makes the filter of a registered log group through the Logs API, so adding an app changes
no stack; the context value `log_groups` makes it part of the stack for teams that want it there.
"""

from __future__ import annotations

from functions.core.aws.names import is_own_log_group

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


class OwnLogGroup(ValueError):
    """Subscribing this system to its own logs would make it react to itself without end."""


def checked_log_group(log_group: str) -> str:
    """The log group, if it may be subscribed. Raises OwnLogGroup."""
    if is_own_log_group(log_group):
        raise OwnLogGroup(f"log group {log_group!r} belongs to this system: it would react to its own errors")
    return log_group
