"""The runner in a MicroVM: one order by its run hook, one job, one report, and its end."""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.harness.driver import DriverSettings
from functions.harness.job import VERSION
from functions.run_patch.microvms import pack
from functions.runner import delivery
from functions.runner.microvm import Hooks, NoOrder, addresses_in
from infra.local.wall import program
from tests.fakes.bucket import Bucket
from tests.jobs import NONCE, command, job
from tests.unit.runner import machine

PREFIX = "/aws/lambda-microvms/runtime/v1"
ROOT = Path(delivery.__file__).resolve().parents[2]


def run_hook(addresses: dict[str, str]) -> bytes:
    """The body of a run hook, as the platform makes it of what RunPatch gave it."""
    return json.dumps({"microvmId": "microvm-1", "runHookPayload": pack(addresses)}).encode()


ORDER = {"job": machine.JOB, "report": machine.REPORT}


def lived(data: bytes, *hooks: tuple[str, bytes]) -> dict[str, Any]:
    """What a machine did from its start to its end; see `machine`."""
    python = os.path.realpath(sys.executable)
    packages = DriverSettings.of(os.environ).packages
    ended = program.run(
        [python, "-s", "-P", machine.__file__],
        stdin=data,
        readable=[
            ROOT / "functions",
            ROOT / "tests/unit/runner",
            ROOT / "tests/fakes",
            Path(sys.base_prefix),
            Path(packages),
        ],
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SELFHEAL_HARNESS_PACKAGES": packages,
            "HOOKS": json.dumps([(path, body.decode()) for path, body in hooks]),
        },
        limits=program.WallLimits(180.0, memory_bytes=4 << 30, disk_bytes=2 << 30),
        output_limit=1 << 20,
    )
    assert ended.exit_code == 0, ended.stderr_tail
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


READY, RUN = (f"{PREFIX}/ready", b""), (f"{PREFIX}/run", run_hook(ORDER))


def test_a_machine_runs_its_job_leaves_the_report_and_ends() -> None:
    code = "print('ran')\n"
    data = job({"t.py": code}, {"t.py": code + "\n"}, suite=command("python3", "t.py")).pack()

    told = lived(data, READY, RUN)

    assert (told["statuses"], told["exit"]) == ([200, 200], 0)
    assert told["requests"] == [["GET", "/job.zip"], ["PUT", "/report.json"]]
    report = json.loads(told["report"])
    assert (report["version"], report["nonce"], report["problem"]) == (VERSION, NONCE, "")
    assert [outcome["exit_code"] for outcome in report["outcomes"]] == [0, 0]
    assert all("ran" in outcome["output"] for outcome in report["outcomes"])


INTRUDER = f"""
import http.client
for path in ("run", "terminate", "suspend"):
    connection = http.client.HTTPConnection("127.0.0.1", {machine.HOOKS}, timeout=20)
    connection.request("POST", "{PREFIX}/" + path, {RUN[1].decode()!r})
    answer = connection.getresponse()
    print(path, answer.status, answer.read())
"""


def test_code_under_test_can_order_nothing_and_is_told_nothing() -> None:
    told = lived(job({"t.py": INTRUDER}, suite=command("python3", "t.py")).pack(), READY, RUN)

    assert told["exit"] == 0
    for outcome in json.loads(told["report"])["outcomes"]:
        assert outcome["output"].split("\n")[:3] == ["run 409 b''", "terminate 200 b''", "suspend 200 b''"]
    assert told["requests"] == [["GET", "/job.zip"], ["PUT", "/report.json"]]


@pytest.mark.parametrize("data", [b"", b"no zip", job({}).pack()[:-200]], ids=["missing", "text", "cut"])
def test_without_a_job_the_run_hook_fails_and_the_machine_ends(data: bytes) -> None:
    told = lived(data, READY, RUN)
    assert (told["statuses"], told["exit"], told["report"]) == ([200, 502], 1, None)


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """The machine's server alone."""
    with Hooks(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(hooks: Hooks, path: str, body: bytes = b"", length: str | None = None) -> int:
    """The status of a POST. length: what it says of its size, "" for nothing, where that is not true."""
    connection = http.client.HTTPConnection("127.0.0.1", hooks.server_port, timeout=20)
    connection.putrequest("POST", path)
    if length != "":
        connection.putheader("Content-Length", str(len(body)) if length is None else length)
    connection.endheaders(body or None)
    return connection.getresponse().status


def test_one_order_is_taken_and_no_second_one(hooks: Hooks, bucket: Bucket, event: dict[str, str]) -> None:
    bucket.objects["/runs/1/job.zip"] = data = job({}).pack()
    assert [asked(hooks, f"{PREFIX}/run", run_hook(event)) for _ in range(3)] == [200, 409, 409]
    taken = hooks.orders.get(timeout=20)
    assert taken is not None
    assert (taken.job, taken.report) == (data, event["report"])
    assert hooks.orders.empty()
    assert bucket.requests == [("GET", "/runs/1/job.zip")]


def test_a_hook_that_names_nothing_does_not_use_up_the_order(
    hooks: Hooks, bucket: Bucket, event: dict[str, str]
) -> None:
    bucket.objects["/runs/1/job.zip"] = job({}).pack()
    statuses = [asked(hooks, f"{PREFIX}/run", body) for body in (b"", b"{}", run_hook(event))]
    assert statuses == [400, 400, 200]


@pytest.mark.parametrize(
    ("told", "status"),
    [("", 411), ("-1", 411), ("ten", 411), ("\u0661", 411), ("70000", 413), ("9" * 5000, 413)],
)
def test_a_body_without_a_size_or_too_large_is_not_read(hooks: Hooks, told: str, status: int) -> None:
    assert asked(hooks, f"{PREFIX}/run", length=told.encode().decode("latin-1")) == status
    assert hooks.orders.empty()


def packed(told: Any) -> str:
    return b64encode(zlib.compress(json.dumps(told).encode())).decode()


def test_the_order_is_found_in_the_platforms_envelope_and_alone() -> None:
    expected = (ORDER["job"], ORDER["report"])
    assert addresses_in(run_hook(ORDER)) == addresses_in(pack(ORDER).encode()) == expected


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{}",
        "no base64!",
        b64encode(b"not deflated").decode(),
        packed([]),
        packed({"job": machine.JOB}),
        packed({"job": 1, "report": machine.REPORT}),
        packed({"job": "file:///etc/passwd", "report": machine.REPORT}),
        packed({"job": machine.JOB, "report": "ftp://127.0.0.1/x"}),
        packed({"job": machine.JOB + "x" * 1_000_000, "report": machine.REPORT}),
        packed(None),
        [],
        None,
        7,
    ],
    ids=lambda payload: str(payload)[:30],
)
def test_what_is_no_order_is_refused(payload: Any) -> None:
    with pytest.raises(NoOrder):
        addresses_in(json.dumps({"microvmId": "microvm-1", "runHookPayload": payload}).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"{" * 5000, b'{"a":' * 9000])
def test_a_body_that_is_no_run_hooks_is_refused(body: bytes) -> None:
    with pytest.raises(NoOrder):
        addresses_in(body)
