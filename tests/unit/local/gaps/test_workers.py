"""What a function's environment, errors and log look like."""

from __future__ import annotations

import errno
import io
import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from infra.local.wall import refusals
from tests.processes import commands_below

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench, Gate

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


def test_ministack_logs_a_traceback_line_by_line(ministack: Bench, unique: str) -> None:
    ministack.make_function(unique, CRASH)
    ministack.invoke(unique, {})
    assert "Traceback (most recent call last):" in ministack.messages(f"/aws/lambda/{unique}")


def test_ministack_hands_its_environment_to_functions(ministack: Bench, unique: str) -> None:
    ministack.make_function(unique, "import os\ndef handler(event, context):\n    return dict(os.environ)\n")
    assert "MINISTACK_ACCOUNT_ID" in ministack.invoke(unique)["payload"]


def test_what_a_function_is_deployed_with_is_laid_out_before_it_is_called(aws: Bench, unique: str) -> None:
    package, s3 = io.BytesIO(), aws.client("s3")
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(f"{unique.replace('-', '_')}.py", "def handler(event, context):\n    return 1\n")
    s3.create_bucket(Bucket="laid-out-ahead")
    s3.put_object(Bucket="laid-out-ahead", Key="code.zip", Body=package.getvalue())

    aws.lambda_.create_function(
        FunctionName=unique,
        Role=aws.role,
        Runtime="python3.11",
        Handler="app.handler",
        Code={"S3Bucket": "laid-out-ahead", "S3Key": "code.zip"},
    )

    assert aws.wait_for(lambda: [*aws.emulator.home.rglob(f"code/*/{unique.replace('-', '_')}.py")])


def test_a_crash_is_logged_as_the_runtime_prints_it(aws: Bench, unique: str) -> None:
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


def test_a_module_that_cannot_be_imported_is_reported(aws: Bench, unique: str) -> None:
    aws.make_function(unique, "import pymysql_pool\n")
    for _ in range(2):
        assert aws.invoke(unique)["payload"]["errorType"] == "Runtime.ImportModuleError"
    expected = (
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'pymysql_pool'"
    )
    assert f"{expected}\nTraceback (most recent call last):" in aws.messages(f"/aws/lambda/{unique}")


def sleeping(aws: Bench, seconds: str) -> bool:
    """Whether a function's child sleeps for so long."""
    return any(
        command == ["sleep", seconds] for _, command in commands_below(psutil.Process(aws.emulator.pid))
    )


def test_a_time_out_is_logged_and_ends_what_the_function_started(aws: Bench, unique: str) -> None:
    source = "import subprocess\ndef handler(event, context):\n    subprocess.run(['sleep', '271'])\n"
    aws.make_function(unique, source, Timeout=1)
    assert aws.invoke(unique)["payload"]["errorType"] == "Sandbox.Timedout"
    assert any(
        message.endswith("Task timed out after 1.00 seconds")
        for message in aws.messages(f"/aws/lambda/{unique}")
    )
    assert not sleeping(aws, "271")


def test_a_worker_is_warm_and_logs_to_its_own_stream(aws: Bench, unique: str) -> None:
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


def test_calls_at_the_same_time_have_workers_of_their_own(aws: Bench, gate: Gate, unique: str) -> None:
    source = """
    import urllib.request
    def handler(event, context):
        urllib.request.urlopen(event["gate"]).close()
        return context.log_stream_name
    """
    aws.make_function(unique, source)
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(aws.invoke, unique, {"gate": gate.url}) for _ in range(4)]
        aws.wait_for(lambda: gate.arrived == 4)
        gate.open.set()
    assert len({answer.result()["payload"] for answer in answers}) == 4


def test_a_function_sees_only_what_lambda_gives_it(
    aws: Bench, unique: str, monkeypatch: pytest.MonkeyPatch
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
    assert 0 < seen["left"] <= 60_000


def test_a_published_version_behind_an_alias_runs_its_own_code(aws: Bench, unique: str) -> None:
    aws.make_function(
        unique, "def handler(event, context):\n    return context.function_version\n", Publish=True
    )
    aws.lambda_.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    answer = aws.lambda_.invoke(FunctionName=unique, Qualifier="live")
    assert json.load(answer["Payload"]) == "1"


def test_the_public_powertools_layer_is_accepted(aws: Bench, unique: str) -> None:
    layer = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python311-x86_64:18"
    source = (
        "from aws_lambda_powertools import Logger\ndef handler(event, context):\n    return Logger.__name__\n"
    )
    aws.make_function(unique, source, Layers=[layer])
    assert aws.invoke(unique)["payload"] == "Logger"


def test_a_worker_shares_memory(aws: Bench, unique: str) -> None:
    source = """
    import boto3
    from aws_lambda_powertools import Logger
    def handler(event, context):
        boto3.client("dynamodb")
        with open("/proc/self/smaps_rollup") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    """
    aws.make_function(unique, source)
    assert aws.invoke(unique)["payload"] < 40e3


def test_what_lambda_refuses_is_refused(aws: Bench, unique: str) -> None:
    source = """
    import ctypes
    def handler(event, context):
        libc, found = ctypes.CDLL(None, use_errno=True), {}
        for name, number in event.items():
            ctypes.set_errno(0)
            libc.syscall(number, -1, 0, 0, 0, 0, 0)
            found[name] = ctypes.get_errno()
        return found
    """
    aws.make_function(unique, source)
    calls = refusals.numbers()
    assert aws.invoke(unique, calls)["payload"] == dict.fromkeys(calls, errno.EPERM)


def test_ministack_refuses_nothing(ministack: Bench, unique: str) -> None:
    source = (
        "import ctypes\ndef handler(event, context):\n    return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
    )
    ministack.make_function(unique, source)
    assert ministack.invoke(unique)["payload"] >= 0


def test_a_function_is_another_user_and_writes_to_tmp_alone(aws: Bench, unique: str) -> None:
    source = """
    import os
    def handler(event, context):
        written = []
        for place in ("/tmp", "/", "/var/task", "/opt", "/usr", "/etc", "/dev", os.path.dirname(os.__file__)):
            try:
                open(place + "/file", "w").close()
            except OSError:
                continue
            written.append(place)
        shown = [path for path in event if os.path.exists(path)]
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [os.getuid(), os.getgid(), written, shown, max(pids) < 10, os.path.exists("/dev/shm")]
    """
    aws.make_function(unique, source)
    outside = [str(aws.emulator.home), str(Path(__file__).parents[4] / "functions"), "/etc/shadow"]
    assert aws.invoke(unique, outside)["payload"] == [993, 990, ["/tmp"], [], True, False]


def test_a_process_that_ends_after_its_answer_is_replaced(aws: Bench, unique: str) -> None:
    source = """
    import os, subprocess, threading
    def handler(event, context):
        subprocess.Popen(["sleep", "274"])
        threading.Timer(0.1, os._exit, [1]).start()
        return context.log_stream_name
    """
    aws.make_function(unique, source)
    first = aws.invoke(unique)
    aws.wait_for(lambda: not sleeping(aws, "274"))  # it goes with its environment
    second = aws.invoke(unique)
    assert (first["error"], second["error"]) == (None, None)
    assert first["payload"] != second["payload"]


def test_two_functions_share_no_files_and_no_processes(aws: Bench, unique: str) -> None:
    source = """
    import glob, os, subprocess
    def handler(event, context):
        found = os.path.exists("/tmp/mine")
        open("/tmp/mine", "w").close()
        subprocess.Popen(["sleep", "273"])
        return [found, len(glob.glob("/proc/[0-9]*"))]
    """
    for name in ("a", "b"):
        aws.make_function(f"{unique}-{name}", source)
    assert [aws.invoke(f"{unique}-{name}")["payload"] for name in ("a", "b", "a")] == [
        [False, 3],
        [False, 3],
        [True, 4],
    ]


def test_a_process_that_ends_is_reported_as_the_platform_does(aws: Bench, unique: str) -> None:
    source = (
        "import os\ndef handler(event, context):\n    os.kill(os.getpid(), event) if event else exit(3)\n"
    )
    aws.make_function(unique, source)
    for event, how in ((0, "exit status 3"), (9, "signal: killed")):
        error = aws.invoke(unique, event)["payload"]
        assert error["errorType"] == "Runtime.ExitError"
        assert error["errorMessage"].endswith(f"Error: Runtime exited with error: {how}")
    assert aws.messages(f"/aws/lambda/{unique}")[-3].endswith("signal: killed\nRuntime.ExitError")
