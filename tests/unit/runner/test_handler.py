"""The runner as Lambda invokes it, between two addresses of a server on this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.core.aws.names import PING
from functions.harness.interpreters import missing
from functions.harness.job import VERSION
from functions.harness.runner import MOST_BYTES
from functions.runner import delivery
from functions.runner import handler as runner
from functions.runner.delivery import JobUnreachable, ReportUndelivered
from functions.runner.handler import handler
from tests.fakes.bucket import Bucket
from tests.jobs import NONCE, job

REPORT = b'{"version": 1}'


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Jobs that were driven: the driver closes its process's memory for good, so it stands in here."""
    jobs: list[bytes] = []

    def drive(data: bytes, settings: Any) -> bytes:
        jobs.append(data)
        return REPORT

    monkeypatch.setattr(runner, "drive", drive)
    return jobs


def test_the_job_is_fetched_driven_and_its_report_left(
    bucket: Bucket, event: dict[str, str], driven: list[bytes]
) -> None:
    bucket.objects["/runs/1/job.zip"] = b"job"
    assert handler(event, None) == {}
    assert driven == [b"job"]
    assert bucket.objects["/runs/1/report.json"] == REPORT
    assert bucket.requests == [("GET", "/runs/1/job.zip"), ("PUT", "/runs/1/report.json")]
    assert not bucket.headers.get("Content-Type"), "a header that is not signed for would be refused"


def test_a_ping_is_answered_and_nothing_is_run(driven: list[bytes]) -> None:
    assert runner.PING == PING
    assert handler(dict(PING), None) == {}
    assert driven == []


def test_a_job_that_is_not_there_runs_nothing(
    bucket: Bucket, event: dict[str, str], driven: list[bytes]
) -> None:
    with pytest.raises(JobUnreachable, match="404"):
        handler(event, None)
    assert driven == []
    assert bucket.requests == [("GET", "/runs/1/job.zip")]


def test_a_server_that_is_not_there_runs_nothing(driven: list[bytes]) -> None:
    with pytest.raises(JobUnreachable):
        handler({"job": "http://127.0.0.1:1/job", "report": "http://127.0.0.1:1/report"}, None)
    assert driven == []


@pytest.mark.parametrize("data", [b"", b"no zip", job({}).pack()[:-200]])
def test_what_is_no_job_runs_nothing(data: bytes, bucket: Bucket, event: dict[str, str]) -> None:
    bucket.objects["/runs/1/job.zip"] = data
    with pytest.raises(JobUnreachable, match="not a job"):
        handler(event, None)
    assert "/runs/1/report.json" not in bucket.objects


def test_a_job_of_another_version_runs_nothing(
    bucket: Bucket, event: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.harness.job.VERSION", VERSION + 1)
    bucket.objects["/runs/1/job.zip"] = job({}).pack()
    monkeypatch.undo()
    with pytest.raises(JobUnreachable, match=f"version {VERSION}, not {VERSION + 1}"):
        handler(event, None)


def test_a_report_that_is_refused_is_said_without_the_address(
    bucket: Bucket, event: dict[str, str], driven: list[bytes]
) -> None:
    bucket.objects["/runs/1/job.zip"] = b"job"
    bucket.refused.add("/runs/1/report.json?X-Amz-Signature=hunter2")
    with pytest.raises(ReportUndelivered, match="403") as raised:
        handler({**event, "report": event["report"] + "?X-Amz-Signature=hunter2"}, None)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_report_of_any_size_is_left_but_no_larger_than_shows_that_it_is_too_large(
    bucket: Bucket, event: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_BYTES", 1000)
    monkeypatch.setattr(runner, "drive", lambda *_: b"x" * 5000)
    bucket.objects["/runs/1/job.zip"] = b"job"
    handler(event, None)
    assert len(bucket.objects["/runs/1/report.json"]) == 1001
    assert MOST_BYTES > 1000


def test_a_missing_interpreter_is_a_report_and_no_error(
    bucket: Bucket, event: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.harness.processes.adopt_orphans", lambda: True)
    bucket.objects["/runs/1/job.zip"] = job({}, python="3.99").pack()
    handler(event, None)
    told = json.loads(bucket.objects["/runs/1/report.json"])
    assert (told["nonce"], told["problem"], told["started"]) == (NONCE, missing("3.99"), False)
