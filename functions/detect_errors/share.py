"""Each app's share of detection: what one app's storm may take while the others' errors are waiting.

All apps share the environments of one function, each of which handles one delivery at a time. Without a
bound, the storm of one app fills every one of them, and then Lambda's queue, in which the others' deliveries
wait behind it. So each environment, by itself and without asking anybody, gives one app at most half of its
time, and its part of the account's quota for reading logs. What is refused costs a millisecond; Lambda
delivers it again after a minute or two, and what is refused then lies in the failure queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from functions.core.workflow.errors import AppStorms

WINDOW_SECONDS = 30.0
SHARE = 0.5
"""Of an environment's time, for one app."""
READS_PER_SECOND, READS_AT_ONCE = 1.0, 8.0
"""Calls of GetLogEvents for one app: ten environments use ten of the 25 a second that an account has.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


@dataclass(slots=True)
class _Use:
    """What one app used of this environment: (end, seconds) of its deliveries, and reads that are left."""

    spans: deque[tuple[float, float]] = field(default_factory=deque)
    reads: float = READS_AT_ONCE
    refilled: float | None = None


class Share:
    """What the apps used of one environment. `clock`: seconds, never going back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._apps: dict[str, _Use] = {}

    @contextmanager
    def of(self, app: str) -> Iterator[None]:
        """Handle a delivery of the app within its share. Raises AppStorms at once if it is used up."""
        use = self._apps.setdefault(app, _Use())
        started = self._clock()
        while use.spans and use.spans[0][0] < started - WINDOW_SECONDS:
            use.spans.popleft()
        if sum(seconds for _, seconds in use.spans) >= SHARE * WINDOW_SECONDS:
            raise AppStorms(
                f"app {app!r} sends more errors than its share of detection; delivered again later"
            )
        try:
            yield
        finally:
            ended = self._clock()
            use.spans.append((ended, ended - started))

    def read(self, app: str) -> None:
        """Before a call that reads logs. Raises AppStorms if the app has used up its own."""
        use, now = self._apps.setdefault(app, _Use()), self._clock()
        passed = 0.0 if use.refilled is None else now - use.refilled
        use.reads, use.refilled = min(READS_AT_ONCE, use.reads + passed * READS_PER_SECOND), now
        if use.reads < 1:
            raise AppStorms(
                f"app {app!r} needs its logs read more often than its share; delivered again later"
            )
        use.reads -= 1


@dataclass(frozen=True, slots=True)
class SharedLogs:
    """CloudWatch Logs, read within the app's share."""

    client: Any
    """boto3's."""
    share: Share
    app: str

    def get_log_events(self, **asked: Any) -> Any:
        """Raises AppStorms, and what the client raises."""
        self.share.read(self.app)
        return self.client.get_log_events(**asked)
