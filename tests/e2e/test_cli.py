"""The `selfheal` command against the embedded run, as its users call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from functions.core.incidents.incident import Status
from infra.local.processes import Started

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

SELFHEAL = str(Path(sys.executable).with_name("selfheal"))


def run(folder: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SELFHEAL, *arguments],
        cwd=folder,
        env=os.environ | {"XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def selfheal(world: World) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command, in the folder of the embedded run."""
    folder = Path(world.run.home).parent
    return lambda *arguments: run(folder, *arguments, "--local")


def test_an_operator_s_day(world: World, selfheal: Callable[..., Any]) -> None:
    """A heal fails, is looked at, redriven, decided and followed: all from the terminal."""
    app = world.app()
    restore = world.deny("fetch_source")
    world.log(app)
    failed = world.until(app, Status.FAILED)
    restore()

    listed = json.loads(selfheal("incidents", "--app", app.name, "--status", "FAILED", "--json").stdout)
    assert [row["incident_id"] for row in listed["incidents"]] == [failed.incident_id]
    dry = json.loads(selfheal("redrive", "--failed", "--app", app.name, "--dry-run", "--json").stdout)
    assert [(row["state"], row["why_not"]) for row in dry["heals"]] == [("FetchSource", "")]
    elsewhere = selfheal("redrive", "--failed", "--app", app.name, "--state", "CommitPatch", "--json")
    assert json.loads(elsewhere.stdout)["heals"] == []
    history = selfheal("history", failed.incident_id)
    assert "FetchSource" in history.stdout
    assert "selfheal redrive" in history.stdout
    assert selfheal("approve", failed.incident_id, "--yes").returncode == 1

    redriven = selfheal("redrive", failed.incident_id)
    assert (redriven.returncode, "FetchSource" in redriven.stdout) == (0, True), redriven.stderr
    waiting = world.until(app, Status.AWAITING_APPROVAL)
    again = selfheal("redrive", failed.incident_id)
    assert again.returncode == 1
    assert "cannot be redriven" in again.stderr

    shown = json.loads(selfheal("show", waiting.incident_id, "--json").stdout)
    assert shown["incident"]["patch_sha256"] == waiting.patch_sha256
    assert shown["patch"].startswith("diff --git")
    assert {gate["gate"] for gate in shown["evidence"]["gates"]} >= {"applies", "reproduces"}
    assert "RATES" in selfheal("show", waiting.incident_id).stdout

    incomplete = selfheal("revise", waiting.incident_id, "--comment", " ", "--yes")
    assert incomplete.returncode == 2
    approved = selfheal("approve", waiting.incident_id, "--comment", "fine", "--yes", "--wait")
    assert approved.returncode == 0, approved.stderr
    assert "CreatePullRequest" in approved.stdout
    assert "pull request: http" in approved.stdout
    late = selfheal("reject", waiting.incident_id, "--reason", "too_risky", "--yes")
    assert (late.returncode, "already decided" in late.stderr) == (1, True)
    done = world.until(app, Status.PR_OPEN)
    states = json.loads(selfheal("history", done.incident_id, "--json").stdout)
    assert (states["status"], states["redrive_count"]) == ("SUCCEEDED", 1)
    assert [row["state"] for row in states["states"]][-1] == "Healed"


def test_what_is_not_there_is_said_with_what_to_do(selfheal: Callable[..., Any], tmp_path: Path) -> None:
    unknown = selfheal("show", "no-such-incident")
    assert unknown.returncode == 2
    assert "no-such-incident" in unknown.stderr
    assert "selfheal incidents" in unknown.stderr
    nowhere = run(tmp_path, "incidents", "--local")
    assert (nowhere.returncode, "selfheal up" in nowhere.stderr) == (3, True), nowhere.stderr
    assert "Traceback" not in unknown.stderr + nowhere.stderr


def test_own_log_groups_and_missing_ones_are_refused(selfheal: Callable[..., Any]) -> None:
    repository = ("--repository", "https://github.com/shop/orders.git")
    own = selfheal("configure", "loop", "--log-group", "/aws/lambda/self-heal-fetch-source", *repository)
    assert (own.returncode, "belongs to this system" in own.stderr) == (2, True)
    missing = selfheal("configure", "lost", "--log-group", "/no/such/group", *repository)
    assert (missing.returncode, "does not exist" in missing.stderr) == (1, True)
    bad = selfheal("configure", "Bad Name", "--log-group", "/x", *repository)
    assert (bad.returncode, "app name" in bad.stderr) == (2, True)
    project = ("--codebuild-project", "nightly", "--log-group", "/x", *repository)
    foreign = selfheal("configure", "orders-nightly", *project)
    assert (foreign.returncode, "begins with 'self-heal-'" in foreign.stderr) == (2, True)
    old = selfheal("configure", "orders-old", "--python", "3.8", "--log-group", "/x", *repository)
    assert (old.returncode, "Python 3.8 is none of 3.9" in old.stderr) == (2, True)


def test_all_healing_stops_and_goes_on_where_it_was(world: World, selfheal: Callable[..., Any]) -> None:
    """One heal waits for a decision while it is stopped, one error comes meanwhile."""
    waiting, late = world.app(), world.app()
    world.log(waiting)
    asked = world.until(waiting, Status.AWAITING_APPROVAL)
    try:
        assert selfheal("stop", "--reason", "a bad day").returncode == 0
        assert selfheal("approve", asked.incident_id, "--yes").returncode == 0
        ended = world.until(waiting, Status.FAILED)
        assert ended.reason.startswith("Stopped before CommitPatch: healing was stopped by arn:")
        assert "(a bad day)" in ended.reason
        assert ended.next_action == "selfheal start"
        world.log(late)
        held = world.until(late, Status.SUPPRESSED)
        assert "healing was stopped" in held.reason
        assert world.pulls(waiting) == []
    finally:
        started = selfheal("start")
    assert f"{asked.incident_id} resumes at CommitPatch" in " ".join(started.stdout.split())
    assert world.until(waiting, Status.PR_OPEN).pull_request_url
    assert selfheal("retry", held.incident_id).returncode == 0
    again = world.until(late, Status.AWAITING_APPROVAL)
    assert again.generation == 2


def test_a_heal_goes_as_far_as_its_app_s_mode_and_says_what_the_next_would_do(
    world: World, selfheal: Callable[..., Any]
) -> None:
    ends = {
        "observe": (Status.SUPPRESSED, "Observed", "diagnose would have"),
        "diagnose": (Status.DIAGNOSED, "Diagnosed", "propose would have"),
        "propose": (Status.PROPOSED, "Proposed", "pull-request would have"),
    }
    for mode, (status, end, higher) in ends.items():
        app = world.app(mode=mode)
        world.log(app)
        incident = world.until(app, status)
        (execution,) = world.executions(app)
        events = world.client("stepfunctions").get_execution_history(
            executionArn=execution["executionArn"], reverseOrder=True
        )["events"]
        last = next(e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e)
        assert last == end
        assert higher in incident.higher_mode
        assert incident.approval_id == ""
        assert world.pulls(app) == []
        assert f"selfheal configure {app.name} --set mode=" in incident.next_action
    shown = selfheal("show", incident.incident_id)
    assert "RATES" in shown.stdout


def test_the_doctor_finds_nothing_in_health_and_a_seeded_fault(
    world: World, selfheal: Callable[..., Any]
) -> None:
    app = world.app()
    healthy = selfheal("doctor", app.name)
    assert (healthy.returncode, "nothing found" in healthy.stdout) == (0, True), healthy.stdout
    world.client("logs").delete_subscription_filter(logGroupName=app.log_groups[0], filterName="self-heal")
    sick = selfheal("doctor", app.name)
    assert sick.returncode == 1
    assert f"selfheal configure {app.name} --local" in sick.stdout
    assert selfheal("configure", app.name).returncode == 0
    assert selfheal("doctor", app.name).returncode == 0


def test_deliveries_that_failed_are_kept_and_put_back(world: World, selfheal: Callable[..., Any]) -> None:
    app = world.app()
    restore = world.deny("detect_errors")
    world.log(app)
    sqs, queue = world.client("sqs"), world.target.output("FailedDetectionsUrl")

    def queued() -> int | None:
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"]) or None

    world.eventually(queued, lambda: "nothing reached the failure queue")
    restore()
    assert world.incidents(app) == []
    back = selfheal("requeue", "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["detections"] == 1
    assert world.until(app, Status.AWAITING_APPROVAL).occurrences == 1
    assert queued() is None


def test_up_crash_and_down_leave_nothing_behind(tmp_path: Path) -> None:
    started = run(tmp_path, "up")
    assert started.returncode == 0, started.stderr
    rows = json.loads((tmp_path / ".selfheal/run.json").read_text())["processes"].values()
    family = [
        p for row in rows for p in (psutil.Process(row["pid"]), *psutil.Process(row["pid"]).children(True))
    ]
    try:
        listening = set()
        for process in family:
            with suppress(psutil.NoSuchProcess):  # an environment that ended meanwhile
                listening |= {c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"}
        assert listening == {"127.0.0.1"}
        assert "already" in run(tmp_path, "up").stdout
        assert "KeyError" in run(tmp_path, "crash", "quote").stdout
        assert run(tmp_path, "crash", "nonsense").returncode == 2
    finally:
        assert run(tmp_path, "down").returncode == 0
    assert [Started(**row).find() for row in rows] == [None] * len(rows)
    assert not [p for p in family if p.is_running()]
    assert "Nothing runs" in run(tmp_path, "down").stdout


def test_the_demonstration_ends_with_the_pull_request_and_stops_what_it_started(tmp_path: Path) -> None:
    shown = run(tmp_path, "demo", "--crash", "report", timeout=180)
    assert shown.returncode == 0, shown.stdout[-3000:] + shown.stderr
    for part in (
        "ZeroDivisionError",
        "ValidatePatch",
        "holds exactly the approved bytes",
        "pull request http",
    ):
        assert part in " ".join(shown.stdout.split()), part
    assert not (tmp_path / ".selfheal/run.json").exists()
