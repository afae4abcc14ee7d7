"""What a build tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from functions.core.workflow.builds import build_in, log_of, log_url, why

LOG = "https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:log-groups/log-group/$252Fx"
FAILED: dict[str, Any] = {
    "BuildStatus": "FAILED",
    "Logs": {"DeepLink": LOG},
    "Phases": [
        {"PhaseType": "PROVISIONING", "PhaseStatus": "SUCCEEDED"},
        {
            "PhaseType": "DOWNLOAD_SOURCE",
            "PhaseStatus": "FAILED",
            "Contexts": [{"StatusCode": "CLIENT_ERROR", "Message": "not authorized"}],
        },
        {"PhaseType": "COMPLETED"},
    ],
}


def test_why_a_build_failed_is_one_line_with_its_log() -> None:
    said = f"the build ended with FAILED in DOWNLOAD_SOURCE: not authorized. Log: {LOG}"
    for cause in (FAILED, {"Build": FAILED}):
        build = build_in(cause)
        assert build
        assert why(build) == said


def test_a_build_that_tells_little_is_told_all_the_same() -> None:
    assert why({"BuildStatus": "TIMED_OUT"}) == "the build ended with TIMED_OUT"
    phases = [{"PhaseType": "BUILD", "PhaseStatus": "FAULT"}]
    fault = {"BuildStatus": "FAULT", "Logs": None, "Phases": phases}
    assert why(fault) == "the build ended with FAULT in BUILD"
    assert log_of({"BuildStatus": "FAULT"}) == ""


@pytest.mark.parametrize("other", [None, [], "x", {"errorMessage": "m"}, {"Build": 3}])
def test_other_causes_are_not_taken_for_a_build(other: Any) -> None:
    assert build_in(other) is None


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://x", "https://x y", "https://x)](y", 'https://x"', ""]
)
def test_what_is_no_address_is_no_link(url: str) -> None:
    assert log_url(url) == ""
    assert log_url(LOG) == LOG
