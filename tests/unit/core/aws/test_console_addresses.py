"""Where people look further."""

from __future__ import annotations

import pytest

from functions.core.aws.console import Console

ARN = "arn:{}:states:eu-central-1:111122223333:execution:self-heal-workflow:a b"


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_an_execution_is_in_the_console_of_its_partition(partition: str, host: str) -> None:
    address = Console().execution(ARN.format(partition))
    assert address.startswith(f"https://{host}/states/home?region=eu-central-1#/v2/executions/details/arn:")
    assert address.endswith("workflow:a%20b")


def test_what_stands_in_for_the_console_has_pages_of_its_own() -> None:
    here = Console("http://127.0.0.1:1/_console")
    assert here.execution(ARN.format("aws")).startswith(
        "http://127.0.0.1:1/_console/executions/arn:aws:states:"
    )
    assert (
        here.log_stream("arn", "/aws/x", "a/[1]b")
        == "http://127.0.0.1:1/_console/logs/%2Faws%2Fx/a%2F%5B1%5Db"
    )
