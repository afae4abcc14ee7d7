"""Names that the stack gives and that functions must recognise."""

from __future__ import annotations

import re

FUNCTION_PREFIX = "self-heal-"
"""Begins the name of every function of every deployment."""

# Whoever subscribes this system to its own logs gets a loop that pays for itself until somebody notices.
_OWN_LOG_GROUPS = tuple(
    f"/aws/{writer}/{FUNCTION_PREFIX}"
    for writer in ("lambda", "vendedlogs/apis", "vendedlogs/states", "vpc", "codebuild")
)

# A log group can be set to another name ("LoggingConfig"), and from that no function can be told.
_FUNCTION_LOG_GROUP = re.compile(r"/aws/lambda/([A-Za-z0-9_-]{1,64})")


def is_own_log_group(log_group: str) -> bool:
    """Whether a log group is written by this system itself, and so must never be a source of incidents.

    Also a copy of one: centralization keeps the name within that of the copy.
    """
    return any(own in log_group for own in _OWN_LOG_GROUPS)


def function_of(log_group: str) -> str:
    """The name of the Lambda function whose own log group it is, "" where it is none's."""
    own = _FUNCTION_LOG_GROUP.fullmatch(log_group)
    return own[1] if own else ""


def entry_of(app: str) -> str:
    """Name of the registry entry by which an app is healed: its own, or its family's, where it was discovered
    (see functions/core/apps/discovery.py)."""
    return app.partition(".")[0]


PING = {"self-heal": "ping"}
"""The event that only keeps a function awake: Lambda lets those sleep that nobody calls for weeks.

No stranger can send it: a request to the page arrives wrapped, and so does everything that AWS delivers.
"""
