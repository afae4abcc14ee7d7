"""What a function's environment, errors and log look like."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.embedded

CRASH = """
import logging
def price(order):
    return order["price"]

def handler(event, context):
    print("before")
    logging.warning("two\\nlines")
    try:
        return price(event) + 1
    except KeyError as error:
        raise ValueError("bad order") from error
"""


def test_ministack_logs_a_traceback_line_by_line(ministack: Any, unique: str) -> None:
    ministack.make_function(unique, CRASH)
    ministack.invoke(unique, {})
    assert "Traceback (most recent call last):" in ministack.messages(f"/aws/lambda/{unique}")


def test_ministack_hands_its_environment_to_functions(ministack: Any, unique: str) -> None:
    ministack.make_function(unique, "import os\ndef handler(event, context):\n    return dict(os.environ)\n")
    assert "MINISTACK_ACCOUNT_ID" in ministack.invoke(unique)["payload"]


def test_a_crash_is_logged_as_the_runtime_prints_it(aws: Any, unique: str) -> None:
    aws.make_function(unique, CRASH)
    answer = aws.invoke(unique, {})
    frame = '  File "/var/task/app.py", line 12, in handler\n    raise ValueError("bad order") from error\n'
    assert answer["error"] == "Unhandled"
    assert answer["payload"] == {
        "errorMessage": "bad order",
        "errorType": "ValueError",
        "requestId": answer["payload"]["requestId"],
        "stackTrace": [frame],
    }
    start, printed, warning, error, end, report = aws.messages(f"/aws/lambda/{unique}")
    request_id = answer["payload"]["requestId"]
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert printed == "before"
    assert re.fullmatch(rf"\[WARNING\]\t[0-9T:.-]+Z\t{request_id}\ttwo\nlines", warning)
    assert error == (
        "[ERROR] ValueError: bad order\nTraceback (most recent call last):\n"
        '\u00a0\u00a0File "/var/task/app.py", line 12, in handler\n'
        '\u00a0\u00a0\u00a0\u00a0raise ValueError("bad order") from error'
    )
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")


def test_a_module_that_cannot_be_imported_is_reported(aws: Any, unique: str) -> None:
    aws.make_function(unique, "import pymysql_pool\n")
    for _ in range(2):
        assert aws.invoke(unique)["payload"]["errorType"] == "Runtime.ImportModuleError"
    expected = (
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'pymysql_pool'"
    )
    assert f"{expected}\nTraceback (most recent call last):" in aws.messages(f"/aws/lambda/{unique}")


def test_a_time_out_is_logged_and_ends_what_the_function_started(aws: Any, unique: str) -> None:
    source = "import subprocess\ndef handler(event, context):\n    subprocess.run(['sleep', '271'])\n"
    aws.make_function(unique, source, Timeout=1)
    assert aws.invoke(unique)["payload"]["errorType"] == "Sandbox.Timedout"
    assert any(
        message.endswith("Task timed out after 1.00 seconds")
        for message in aws.messages(f"/aws/lambda/{unique}")
    )
    processes = psutil.Process(aws.emulator.pid).children(recursive=True)
    assert not [process for process in processes if process.cmdline() == ["sleep", "271"]]


def test_a_worker_is_warm_and_logs_to_its_own_stream(aws: Any, unique: str) -> None:
    source = """
    calls = []
    def handler(event, context):
        calls.append(event)
        return [len(calls), context.log_stream_name]
    """
    aws.make_function(unique, source)
    first, second = (aws.invoke(unique)["payload"] for _ in range(2))
    assert (first[0], second[0]) == (1, 2)
    streams = aws.logs.describe_log_streams(logGroupName=f"/aws/lambda/{unique}")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [first[1]] == [second[1]]


def test_calls_at_the_same_time_have_workers_of_their_own(aws: Any, unique: str) -> None:
    aws.make_function(
        unique, "import time\ndef handler(event, c):\n    time.sleep(0.5)\n    return c.log_stream_name\n"
    )
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: aws.invoke(unique)["payload"], range(4)))
    assert len(set(answers)) == 4


def test_a_function_sees_only_what_lambda_gives_it(
    aws: Any, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
    import importlib.util, os, shutil, sys, tempfile
    def handler(event, context):
        return {"environment": dict(os.environ), "project": importlib.util.find_spec("functions") is not None,
                "boto3": importlib.util.find_spec("boto3") is not None, "git": shutil.which("git"),
                "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis()}
    """
    aws.make_function(unique, source, Environment={"Variables": {"APP": "shop"}})
    seen = aws.invoke(unique)["payload"]
    environment = seen["environment"]
    assert environment["APP"] == "shop"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == unique
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not [name for name in environment if name.startswith(("MINISTACK", "SFN", "AUTH"))]
    assert not {"HOME", "TMPDIR"} & environment.keys()
    assert not seen["project"]
    assert seen["boto3"]
    assert seen["git"]
    assert seen["arn"].endswith(f":function:{unique}")
    assert 0 < seen["left"] <= 10_000


def test_a_published_version_behind_an_alias_runs_its_own_code(aws: Any, unique: str) -> None:
    aws.make_function(
        unique, "def handler(event, context):\n    return context.function_version\n", Publish=True
    )
    aws.lambda_.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    answer = aws.lambda_.invoke(FunctionName=unique, Qualifier="live")
    assert json.load(answer["Payload"]) == "1"


def test_the_public_powertools_layer_is_accepted(aws: Any, unique: str) -> None:
    layer = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python311-x86_64:18"
    source = (
        "from aws_lambda_powertools import Logger\ndef handler(event, context):\n    return Logger.__name__\n"
    )
    aws.make_function(unique, source, Layers=[layer])
    assert aws.invoke(unique)["payload"] == "Logger"


def test_a_worker_shares_memory_and_starts_at_once(aws: Any, unique: str) -> None:
    source = """
    import boto3
    from aws_lambda_powertools import Logger
    def handler(event, context):
        boto3.client("dynamodb")
        with open("/proc/self/smaps_rollup") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    """
    aws.make_function(unique, source)
    began = time.monotonic()
    kilobytes = aws.invoke(unique)["payload"]
    assert time.monotonic() - began < 2
    assert kilobytes < 40e3
