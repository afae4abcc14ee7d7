"""Which log lines reach detect_errors, and which log groups never may."""

from __future__ import annotations

import json

import pytest

from infra.catalog import FUNCTIONS
from infra.local.gaps.log_patterns import compile_pattern
from infra.names import DEFAULT
from infra.subscription import FILTER_PATTERN, OwnLogGroup, checked_log_group

ERRORS = {
    "printed": "Traceback (most recent call last):",
    "uncaught, text": "[ERROR] KeyError: 'price'\nTraceback (most recent call last):\n  File …",
    "uncaught, JSON": json.dumps({"errorType": "KeyError", "errorMessage": "'price'", "stackTrace": []}),
    "a structured logger": json.dumps({"level": "error", "exception": "KeyError: 'price'"}),
    "out of time": "2026-01-01T00:00:00Z 5f0c Task timed out after 3.00 seconds",
    "out of memory": "RequestId: 5f0c Error: Runtime exited with error: signal: killed",
    "a group": "  + Exception Group Traceback (most recent call last):",
    "an error record": "2026-11-20 10:00:00,123 ERROR orders could not reach the ledger",
    "out of time, reported": "REPORT RequestId: 5f0c Duration: 3000 ms Status: timeout",
    "killed by the kernel": "Memory cgroup out of memory: Killed process 17 (python)",
    "killed by Kubernetes": "reason: OOMKilled exitCode: 137",
    "killed by ECS": "OutOfMemoryError: Container killed due to memory usage",
    "gunicorn": "[CRITICAL] WORKER TIMEOUT (pid:17)",
    "Celery": "Hard time limit (300s) exceeded for orders.ship[1]",
    "uWSGI": "*** HARAKIRI ON WORKER 1 (pid: 17, try: 1) ***",
    "the interpreter": "Fatal Python error: Segmentation fault",
    "no module": "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'x'",
}
ORDINARY = {
    "start": "START RequestId: 5f0c Version: $LATEST",
    "report": "REPORT RequestId: 5f0c Duration: 3.10 ms Billed Duration: 4 ms Memory Size: 128 MB",
    "info": "[INFO] order 17 shipped",
    "a logged word": "0 errors found",
}


@pytest.mark.parametrize("line", ERRORS.values(), ids=ERRORS)
def test_an_error_passes_the_filter(line: str) -> None:
    assert compile_pattern(FILTER_PATTERN)(line)


@pytest.mark.parametrize("line", ORDINARY.values(), ids=ORDINARY)
def test_an_ordinary_line_does_not(line: str) -> None:
    assert not compile_pattern(FILTER_PATTERN)(line)


def test_the_pattern_is_short_enough_for_cloudwatch() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html"""
    assert len(FILTER_PATTERN) <= 1024


@pytest.mark.parametrize(
    "log_group",
    [
        *(f"/aws/lambda/{DEFAULT.function(spec.folder)}" for spec in FUNCTIONS),
        "/aws/vendedlogs/states/self-heal-workflow",
    ],
)
def test_this_systems_own_log_groups_are_refused(log_group: str) -> None:
    with pytest.raises(OwnLogGroup, match="its own errors"):
        checked_log_group(log_group)


@pytest.mark.parametrize("log_group", ["/aws/lambda/orders", "/ecs/self-heal-fan-club", "self-heal-x"])
def test_log_groups_of_others_are_welcome(log_group: str) -> None:
    assert checked_log_group(log_group) == log_group
