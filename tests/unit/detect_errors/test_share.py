"""One app's storm holds up no other app: what a shared environment gives whom."""

from __future__ import annotations

from typing import Any

import pytest

from functions.core.workflow.errors import AppStorms
from functions.detect_errors.share import READS_AT_ONCE, SHARE, WINDOW_SECONDS, Share, SharedLogs


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def serve(share: Share, clock: Clock, app: str, seconds: float) -> bool:
    """Whether a delivery that takes so long is handled."""
    try:
        with share.of(app):
            clock.now += seconds
    except AppStorms:
        return False
    return True


def test_a_storm_gets_its_share_and_what_is_left_serves_the_others(clock: Clock) -> None:
    """A hundred deliveries a second of one app, and now and then one of another."""
    share = Share(clock)
    busy = dict.fromkeys(("storm", "quiet"), 0.0)
    refused = dict.fromkeys(busy, 0)
    start = clock.now
    for number in range(60_000):
        app = "quiet" if number % 100 == 0 else "storm"
        before = clock.now
        if serve(share, clock, app, 0.05):
            busy[app] += clock.now - before
        else:
            refused[app] += 1
            clock.now += 0.001

    assert refused["quiet"] == 0
    assert refused["storm"] > 0
    assert busy["storm"] <= (SHARE + 0.05) * (clock.now - start)


def test_a_calm_app_is_never_refused(clock: Clock) -> None:
    share = Share(clock)

    for _ in range(1_000):
        assert serve(share, clock, "orders", 0.4)
        clock.now += 0.6


def test_a_storm_that_is_over_is_forgotten(clock: Clock) -> None:
    share = Share(clock)
    while serve(share, clock, "orders", 1.0):
        pass

    clock.now += WINDOW_SECONDS + 1

    assert serve(share, clock, "orders", 1.0)


def test_a_delivery_that_fails_counts_as_time_too(clock: Clock) -> None:
    share = Share(clock)

    with pytest.raises(ConnectionError), share.of("orders"):
        clock.now += WINDOW_SECONDS
        raise ConnectionError

    assert not serve(share, clock, "orders", 1.0)


def test_reads_of_logs_are_bounded_per_app(clock: Clock) -> None:
    class Logs:
        calls = 0

        def get_log_events(self, **asked: Any) -> Any:
            self.calls += 1

    share, logs = Share(clock), Logs()
    storm, other = SharedLogs(logs, share, "storm"), SharedLogs(logs, share, "other")
    for _ in range(int(READS_AT_ONCE)):
        storm.get_log_events(logGroupName="/g")

    with pytest.raises(AppStorms, match="storm"):
        storm.get_log_events(logGroupName="/g")
    other.get_log_events(logGroupName="/g")
    clock.now += 1.0
    storm.get_log_events(logGroupName="/g")
    with pytest.raises(AppStorms):
        storm.get_log_events(logGroupName="/g")
    assert logs.calls == READS_AT_ONCE + 2


def test_ten_environments_leave_other_readers_of_the_account_more_than_half_of_the_quota() -> None:
    from functions.detect_errors.share import READS_PER_SECOND
    from infra.catalog import OTHERS

    (detect,) = [spec for spec in OTHERS if spec.folder == "detect_errors"]
    assert detect.concurrency
    assert detect.concurrency * READS_PER_SECOND < 25 / 2
