"""Names that the stack gives and that functions must recognise."""

from __future__ import annotations

FUNCTION_PREFIX = "self-heal-"
"""Begins the name of every function of every deployment."""

# Whoever subscribes this system to its own logs gets a loop that pays for itself until somebody notices.
_OWN_LOG_GROUPS = tuple(
    f"/aws/{writer}/{FUNCTION_PREFIX}" for writer in ("lambda", "vendedlogs/apis", "vendedlogs/states", "vpc")
)


def is_own_log_group(log_group: str) -> bool:
    """Whether a log group is written by this system itself, and so must never be a source of incidents."""
    return log_group.startswith(_OWN_LOG_GROUPS)


PING = {"self-heal": "ping"}
"""The event that only keeps a function awake: Lambda lets those sleep that nobody calls for weeks.

No stranger can send it: a request to the page arrives wrapped, and so does everything that AWS delivers.
"""
