"""The rest of a traceback whose lines are events of their own: read back from the log stream, within bounds.

A subscription filter lets only matching lines through, so of such a traceback only its header arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from functions.detect_errors.events import MAX_GAP_MS, Batch, LogEvent
from functions.detect_errors.model import ParsedError

MAX_CALLS = 8
"""Calls of GetLogEvents per batch; an app's share of the account's quota is in `share`."""
MAX_BYTES = 4 * 1024 * 1024
_BEFORE_MS = 1_000


class ReadsLogs(Protocol):
    """The one call of CloudWatch Logs that this needs: boto3's client has it."""

    def get_log_events(self, **asked: Any) -> Any:
        """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html"""


def around(client: ReadsLogs, batch: Batch, errors: Sequence[ParsedError]) -> list[LogEvent]:
    """The stream's events around the errors that need more, in order and without doubles.

    Reads at most MAX_CALLS pages and MAX_BYTES; what lies beyond is left out, and those errors stay cut.
    Raises botocore's ClientError.
    """
    events: list[LogEvent] = []
    calls = size = 0
    for start, end in _windows(errors):
        token: dict[str, Any] = {}
        while calls < MAX_CALLS and size < MAX_BYTES:
            page = client.get_log_events(
                logGroupName=batch.log_group,
                logStreamName=batch.log_stream,
                startTime=start,
                endTime=end,
                startFromHead=True,
                **token,
            )
            calls += 1
            for row in page["events"]:
                events.append(LogEvent("", row.get("timestamp", 0), row.get("message", "")))
                size += len(events[-1].message)
            # The last page answers with the token it was asked with.
            following = {"nextToken": page["nextForwardToken"]}
            if following == token or not page["events"]:
                break
            token = following
    return events


def unread(batch: Batch, errors: Sequence[ParsedError], stream: Sequence[LogEvent]) -> list[ParsedError]:
    """Of the batch's errors, those whose event the stream did not give back: beyond a bound, or gone."""
    given = set(map(_identity, stream))
    return [error for error in errors if _identity(batch.events[error.event]) not in given]


def those_of(batch: Batch, errors: Sequence[ParsedError], stream: Sequence[LogEvent]) -> list[ParsedError]:
    """Of the errors found in the stream, those that start in an event which this batch delivered.

    The others belong to batches of their own. GetLogEvents tells no event ids, so time and text identify.
    """
    delivered = set(map(_identity, batch.events))
    return [error for error in errors if _identity(stream[error.event]) in delivered]


def _identity(event: LogEvent) -> tuple[int, str]:
    return event.timestamp, event.message


def _windows(errors: Sequence[ParsedError]) -> list[tuple[int, int]]:
    """Times to read, in milliseconds, the overlapping ones joined."""
    windows: list[tuple[int, int]] = []
    for timestamp in sorted(error.timestamp for error in errors):
        start, end = timestamp - _BEFORE_MS, timestamp + MAX_GAP_MS
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows
