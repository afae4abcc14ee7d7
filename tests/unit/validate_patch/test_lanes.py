"""What is left for a lane, and what follows from what comes back: from nothing, from a build, twice."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from functions.core.source.archive import Member, pack, read
from functions.core.workflow.errors import ArtifactChanged
from functions.core.workflow.evidence import Build, Evidence, Result
from functions.harness.job import VERSION, Job
from functions.validate_patch import lanes as lanes_module
from functions.validate_patch import order
from functions.validate_patch.handler import handler
from functions.validate_patch.lanes import BUILDSPEC, RunOrder, bundle
from functions.validate_patch.validate import RUNNING
from tests.unit.validate_patch.lanes_at_work import (
    BUILT,
    HEAL,
    LANES,
    PROJECT,
    STATE,
    Lanes,
    gate,
    proof,
    proven,
)


def test_a_run_s_folder_cannot_be_guessed_and_holds_an_empty_report_until_there_is_one(lanes: Lanes) -> None:
    first, second = lanes.ordered("lambda"), lanes.ordered("lambda")
    assert first["folder"].startswith(f"runs/{HEAL.heal_id}/{HEAL.attempt}-")
    assert len(first["folder"].rpartition("-")[2]) == 32
    assert first["folder"] != second["folder"]
    assert first["nonce"] != second["nonce"]
    assert lanes.artifacts.get(f"{first['folder']}/report.json") == b""


@pytest.mark.parametrize("lane", ["lambda", "codebuild"])
def test_the_job_tells_all_but_the_nonce_the_same_each_time(lane: str, lanes: Lanes) -> None:
    jobs = []
    for _ in range(2):
        given = lanes.ordered(lane)
        jobs.append(Job.unpack(lanes.job(lane, given)))
        assert jobs[-1].nonce == given["nonce"]
    assert replace(jobs[0], nonce="") == replace(jobs[1], nonce="")


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_that_leaves_nothing_is_a_failure_that_says_how_it_ended(lane: str, lanes: Lanes) -> None:
    how = "the runner ended with Runtime.OutOfMemory"
    evidence = lanes.judged(lane, lambda nonce: b"", ended=how, code=b"137\n")
    assert not evidence.accepted
    said = "exit code 137" if lane == "codebuild" else "Runtime.OutOfMemory"
    assert said in gate(evidence, "reproduces").detail
    assert {gate(evidence, name).result for name in RUNNING} == {Result.FAIL}


@pytest.mark.parametrize("lane", ["lambda", "codebuild"])
def test_asked_again_it_judges_the_same_and_never_orders_another_run(
    lane: str, lanes: Lanes, whole_report: bytes
) -> None:
    given = lanes.ordered(lane)
    folder = given["folder"] if lane == "lambda" else f"{given['folder']}/results"
    report = json.dumps({**json.loads(whole_report), "nonce": given["nonce"]}).encode()
    lanes.artifacts.put(f"{folder}/report.json", report)
    answers = [lanes.answer(lane, given) for _ in range(3)]
    assert proof(answers[0]) == proof(answers[1]) == proof(answers[2])
    assert (answers[0]["verdict"], answers[0]["proven"]) == ("accepted", True)


@pytest.mark.parametrize("lane", ["lambda", "codebuild"])
def test_after_a_redrive_the_report_of_an_earlier_order_is_not_believed(
    lane: str, lanes: Lanes, whole_report: bytes
) -> None:
    """A late report of a run that was given up: it has the earlier order's nonce."""
    earlier, later = lanes.ordered(lane), lanes.ordered(lane)
    folder = later["folder"] if lane == "lambda" else f"{later['folder']}/results"
    report = json.dumps({**json.loads(whole_report), "nonce": earlier["nonce"]}).encode()
    lanes.artifacts.put(f"{folder}/report.json", report)
    answer = lanes.answer(lane, later)
    assert (answer["verdict"], answer["proven"]) == ("rejected", False)


@pytest.mark.parametrize("lane", ["lambda", "codebuild"])
def test_what_was_ordered_before_jobs_changed_is_ordered_anew_and_not_held_against_the_patch(
    lane: str, lanes: Lanes, whole_report: bytes
) -> None:
    """A redrive after an upgrade, of RunPatch, whose runner knows no such job, or of ValidatePatch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes_module, "VERSION", VERSION - 1)
        earlier = lanes.ordered(lane)
    part = "build" if lane == "codebuild" else "run"

    told = lanes.answer(lane, earlier)

    assert (told["verdict"], told[part]["version"]) == ("deferred", VERSION)
    assert told[part]["folder"] != earlier["folder"]
    folder = told[part]["folder"] if lane == "lambda" else f"{told[part]['folder']}/results"
    report = json.dumps({**json.loads(whole_report), "nonce": told[part]["nonce"]}).encode()
    lanes.artifacts.put(f"{folder}/report.json", report)
    answer = lanes.answer(lane, told[part])
    assert (answer["verdict"], answer["proven"]) == ("accepted", True)


def test_an_order_of_before_versions_were_told_is_of_the_first_and_what_is_unknown_is_ignored() -> None:
    order = {"folder": "runs/x", "nonce": "n", "bucket": "b", "project": "", "experiment": "", "more": 1}
    state = {"validation": {"verdict": "deferred", "run": order}}
    assert RunOrder.from_state(state) == RunOrder("runs/x", "n", "b", version=1)


def test_a_heal_that_began_under_a_workflow_without_runs_goes_on_unproven_and_says_why(lanes: Lanes) -> None:
    """It keeps that workflow, redriven or not, and there what is deferred goes to a build."""
    lanes.leave("lambda")
    answer = handler(
        {name: value for name, value in STATE.items() if name != "can_run"}, lanes.lambda_context
    )
    assert (answer["verdict"], answer["proven"]) == ("accepted", False)
    evidence = Evidence.from_json(lanes.artifacts.get_json(HEAL.attempt_key("evidence.json")))
    assert [gate(evidence, name).result for name in RUNNING] == [Result.NOT_RUN] * len(RUNNING)
    assert "this heal began before an upgrade" in evidence.not_proven[0]


def test_a_build_is_ordered_under_any_workflow(lanes: Lanes) -> None:
    lanes.leave("codebuild")
    answer = handler(
        {name: value for name, value in STATE.items() if name != "can_run"}, lanes.lambda_context
    )
    assert (answer["verdict"], answer["build"]["project"]) == ("deferred", PROJECT)


def test_the_evidence_of_a_build_names_it(lanes: Lanes, whole_report: bytes) -> None:
    def make(nonce: str) -> bytes:
        return json.dumps({**json.loads(whole_report), "nonce": nonce}).encode()

    evidence = lanes.judged("codebuild", make)
    assert evidence.build == Build(PROJECT, BUILT["arn"], BUILT["log_url"])
    assert f"CodeBuild project {PROJECT}" in gate(evidence, "reproduces").detail


@pytest.mark.parametrize("lane", ["lambda", "codebuild"])
def test_a_report_is_judged_by_what_was_asked_for_and_by_nothing_else(lanes: Lanes, lane: str) -> None:
    given = lanes.ordered(lane)
    asked = lanes.artifacts.get_json(HEAL.attempt_key("experiment.json"))
    lanes.artifacts.put_json(HEAL.attempt_key("experiment.json"), {**asked, "suite": None})
    with pytest.raises(ArtifactChanged):
        lanes.answer(lane, given)


def test_the_same_job_gives_the_same_bundle() -> None:
    assert bundle(b"job") == bundle(b"job")
    with zipfile.ZipFile(io.BytesIO(bundle(b"job"))) as package:
        assert json.loads(package.read("buildspec.json")) == BUILDSPEC


def built(lanes: Lanes, folder: Path, path: str = "", **variables: str) -> Evidence:
    """Runs the buildspec's command on a bundle, as a build does, with credentials in its environment."""
    given = lanes.ordered("codebuild")
    with zipfile.ZipFile(io.BytesIO(lanes.artifacts.get(f"{given['folder']}/source.zip"))) as package:
        package.extractall(folder)
    # A build has its machine's /tmp to itself: what comes there, the driver removes as left by a run.
    temporary = folder.with_name(f"{folder.name}-tmp")
    temporary.mkdir()
    (command,) = json.loads((folder / "buildspec.json").read_text())["phases"]["build"]["commands"]
    env = {
        "PATH": path or f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "TMPDIR": str(temporary),
        "AWS_SESSION_TOKEN": "hunter2",
        "CODEBUILD_SOURCE_REPO_URL": "bucket/builds/secret",
        **variables,
    }
    if "LD_LIBRARY_PATH" in os.environ:
        env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    subprocess.run(["/bin/sh", "-c", command], cwd=folder, env=env, check=True, timeout=180)
    for name in ("report.json", "exit"):
        lanes.artifacts.put(f"{given['folder']}/results/{name}", (folder / "results" / name).read_bytes())
    lanes.answer("codebuild", given)
    return Evidence.from_json(lanes.artifacts.get_json(HEAL.attempt_key("evidence.json")))


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The regression test runs once per tree: how often is not what these tests are about."""
    monkeypatch.setattr(order, "TIMES", 1)


def test_a_build_passes_every_gate_that_the_other_lanes_have(lanes: Lanes, tmp_path: Path) -> None:
    evidence = built(lanes, tmp_path)
    assert {g.result for g in evidence.gates} == {Result.PASS}, evidence
    here = f"(CodeBuild project {PROJECT}; Python {sys.version.split()[0]})"
    assert gate(evidence, "reproduces").detail.endswith(f"3 times each {here}")
    assert "13 tests passed before the patch" in gate(evidence, "regression_tests").detail


def test_a_command_of_the_app_s_own_has_the_project_s_environment_without_the_role_s(
    lanes: Lanes, tmp_path: Path, once: None
) -> None:
    lanes.context = replace(
        lanes.context, app=replace(lanes.context.app, test_command=("sh", "-c", "env; exit 0"))
    )
    evidence = built(lanes, tmp_path, DATABASE_URL="postgres://db")
    shown = gate(evidence, "regression_tests").runs[0].output
    assert "DATABASE_URL=postgres://db" in shown
    for secret in ("hunter2", "builds/secret"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("image", "result", "said"),
    [
        ("without python3", Result.NOT_RUN, "not run: the build's image has no python3"),
        ("without pytest", Result.NOT_RUN, "No module named 'pytest'"),
        ("with a python3 that fails", Result.FAIL, "the build ended before it could report (exit code 9)"),
    ],
)
def test_what_the_image_lacks_is_said_and_nothing_is_called_proven(
    image: str,
    result: Result,
    said: str,
    lanes: Lanes,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    once: None,
) -> None:
    programs = tmp_path_factory.mktemp("image")
    if image == "without pytest":
        venv.create(programs, with_pip=False, symlinks=True)
        programs /= "bin"
    elif image != "without python3":
        (programs / "python3").write_text("#!/bin/sh\nexit 9\n")
        (programs / "python3").chmod(0o755)
    for name in ("mkdir", "mv", "rm"):
        (programs / name).symlink_to(f"/bin/{name}")
    evidence = built(lanes, tmp_path, str(programs))
    assert gate(evidence, "reproduces").result is result
    assert said in gate(evidence, "reproduces").detail
    assert not proven(evidence)


TAMPERING = {
    "writes a report of its own": "pathlib.Path('results').mkdir(exist_ok=True); "
    "pathlib.Path('results/report.json').write_text('{}')",
    "kills the driver": "os.kill(DRIVER, signal.SIGKILL)",
    "kills the driver and reports in its place": '[p.write_text(\'{"problem": "no python3 here"}\') '
    "for p in ROOT.glob('*report.json')], os.kill(DRIVER, signal.SIGKILL)",
    "leaves a daemon that reports later": "os.fork() or (os.setsid(), time.sleep(3), "
    "(ROOT / 'results/report.json').write_text('{}'), os._exit(0))",
}
HOSTILE = """import os, pathlib, pytest, signal, time

ROOT = pathlib.Path({root!r})


def ancestors():
    pid = os.getpid()
    while pid:
        status = pathlib.Path(f"/proc/{{pid}}/status").read_text()
        pid = int(status.partition("PPid:")[2].split()[0])
        yield pid


def of_harness(pid):
    words = pathlib.Path(f"/proc/{{pid}}/cmdline").read_bytes().split(b"\\0")
    return b"-I" in words and b"-c" in words


@pytest.fixture
def attack():
    DRIVER = next(filter(of_harness, ancestors()))
    os.chdir(ROOT)
    {attack}
"""
TEST = """from shop.reports import label


def test_it(attack):
    assert label({"number": 17}) == "another"
"""


@pytest.mark.parametrize("attack", TAMPERING)
def test_tampering_in_a_build_makes_no_proof_of_a_failure(
    attack: str, lanes: Lanes, tmp_path: Path, once: None
) -> None:
    """The patch is wrong, and code of the repository, which it may call, takes its side."""
    hostile = HOSTILE.format(root=str(tmp_path), attack=TAMPERING[attack])
    key = HEAL.key("source.tar.gz")
    source = [*read(lanes.artifacts.get(key)), Member("tests/conftest.py", hostile.encode())]
    lanes.artifacts.put(key, pack(source))
    assert lanes.proposal.regression_test
    test = replace(lanes.proposal.regression_test, code=TEST)
    lanes.proposal = replace(lanes.proposal, regression_test=test)
    evidence = built(lanes, tmp_path)
    assert gate(evidence, "reproduces").result is Result.FAIL, evidence
    assert not evidence.accepted


@pytest.mark.parametrize(
    ("lane", "held"),
    [
        ("lambda", "a Lambda function of its own"),
        ("microvm", "a Lambda MicroVM of its own"),
        ("", "a Lambda function of its own"),
    ],
)
def test_the_evidence_says_what_held_the_code(
    lane: str, held: str, lanes: Lanes, whole_report: bytes
) -> None:
    given = lanes.ordered("lambda")
    report = json.dumps({**json.loads(whole_report), "nonce": given["nonce"]}).encode()
    lanes.artifacts.put(f"{given['folder']}/report.json", report)
    lanes.answer(lane, given)
    evidence = Evidence.from_json(lanes.artifacts.get_json(HEAL.attempt_key("evidence.json")))
    assert f"({held}" in gate(evidence, "reproduces").detail
