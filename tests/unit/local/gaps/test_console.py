"""Pages in place of the AWS console; functions that tell people know of them."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from functions.core.aws.console import Console

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

pytestmark = pytest.mark.embedded
TOLD = """
import os
def handler(event, context):
    return {name: os.environ.get(name) for name in ("COMMAND_FLAG", "COMMAND_PROGRAM", "CONSOLE_URL")}
"""


def ask(url: str, host: str = "", method: str = "GET") -> tuple[int, str, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, parts.path, headers={"Host": host} if host else {})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body, response.headers


def console(aws: Bench) -> Console:
    return Console(f"{aws.emulator.endpoint}/_console")


def test_a_function_that_tells_people_is_told_where_it_is(aws: Bench, unique: str) -> None:
    aws.make_function(unique, TOLD, Environment={"Variables": {"COMMAND_FLAG": " --stage beta"}})
    told = aws.invoke(unique)["payload"]
    assert told["COMMAND_FLAG"] == " --local --stage beta"
    assert told["COMMAND_PROGRAM"].endswith("/selfheal")
    assert told["CONSOLE_URL"] == console(aws).address


def test_any_other_function_sees_nothing_of_this_machine(aws: Bench, unique: str) -> None:
    aws.make_function(unique, TOLD)
    assert set(aws.invoke(unique)["payload"].values()) == {None}


def test_an_execution_has_a_page_with_its_states_and_what_failed(aws: Bench, unique: str) -> None:
    states = {
        "FetchSource": {"Type": "Pass", "Next": "Refuse"},
        "Refuse": {"Type": "Fail", "Error": "Bad", "Cause": "<script>alert(1)</script>"},
    }
    machine = aws.make_machine(unique, states)
    arn = aws.start(machine)
    aws.finish(arn)
    status, body, headers = ask(console(aws).execution(arn))
    assert status == 200
    assert "Fetch the source" in body
    assert "This execution failed" in body
    assert "<script>" not in body
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_log_stream_has_a_page_with_its_lines(aws: Bench, unique: str) -> None:
    group, stream = f"/aws/lambda/{unique}", "2026/11/30/[$LATEST]abc"
    aws.logs.create_log_group(logGroupName=group)
    aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": 1_700_000_000_000, "message": "KeyError: '<b>NZ'"}
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
    status, body, _ = ask(console(aws).log_stream("", group, stream))
    assert status == 200
    assert "KeyError: &#39;&lt;b&gt;NZ&#39;" in body


@pytest.mark.parametrize(
    ("path", "host", "method", "status"),
    [
        ("/_console/executions/arn:aws:states:us-east-1:111122223333:execution:none:x", "", "GET", 404),
        ("/_console/logs/none/such", "", "GET", 404),
        ("/_console/nothing", "", "GET", 404),
        ("/_console/style.css", "", "GET", 200),
        ("/_console/style.css", "", "POST", 405),
        ("/_console/style.css", "evil.example", "GET", 421),
    ],
)
def test_what_is_not_there_and_who_may_not_ask(
    aws: Bench, path: str, host: str, method: str, status: int
) -> None:
    assert ask(f"{aws.emulator.endpoint}{path}", host, method)[0] == status
