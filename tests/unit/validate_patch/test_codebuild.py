"""The build's way of the gates that run code: what the driver runs, and what is believed of its report."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from functions.validate_patch.codebuild import bundle, prove, results
from functions.validate_patch.codebuild.scripts.drive import Driver, environment

from functions.core.evidence import GateResult, Result
from functions.core.facts import Facts
from functions.core.proposal import Proposal
from functions.validate_patch import reproduce
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import File, Tree
from functions.validate_patch.validate import examine

PROJECT, NONCE = "self-heal-shop", "8c1f"
RIGHT = ("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\"")
WRONG = ("shop/reports.py", '"ORD-" + order["number"]', '"ORD-" + order["number"] + ""')
TEST = """from shop.reports import label


def test_label():
    assert label({"number": 17}) == "ORD-17"
"""


@dataclass(frozen=True)
class Built:
    """What a build left, and in which folder."""

    folder: Path
    report: bytes
    ended: bytes

    def gates(self, candidate: Candidate, nonce: str = NONCE) -> dict[str, GateResult]:
        found = prove.gates(candidate, PROJECT, self.report, self.ended, nonce)
        return {gate.gate: gate for gate in found}


@pytest.fixture
def candidate_of(
    shop: Tree, incidents: dict[str, Facts], propose: Callable[..., Proposal]
) -> Callable[..., Candidate]:
    """The shop with this edit and this regression test, for an app with this test command."""

    def make(
        edit: tuple[str, str, str] = RIGHT,
        test: str = TEST,
        command: tuple[str, ...] = (),
        files: Mapping[str, str] | None = None,
    ) -> Candidate:
        facts = incidents["label"]
        app = replace(facts.app, codebuild_project=PROJECT, test_command=command)
        tree = {**shop, **{path: File(text.encode()) for path, text in (files or {}).items()}}
        return examine(tree, propose(edit, test=test), replace(facts, app=app)).candidate

    return make


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    """Runs the buildspec's command on a bundle, as a build does, with credentials in its environment."""

    def run(candidate: Candidate, path: str = "", **variables: str) -> Built:
        with zipfile.ZipFile(io.BytesIO(bundle.bundle(candidate, NONCE))) as package:
            package.extractall(tmp_path)
        buildspec = json.loads((tmp_path / "buildspec.json").read_text())
        (command,) = buildspec["phases"]["build"]["commands"]
        given = {
            "PATH": path or f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "AWS_SESSION_TOKEN": "hunter2",
            "CODEBUILD_SOURCE_REPO_URL": "bucket/builds/secret",
            **variables,
        }
        subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=given, check=True, timeout=120)
        report = tmp_path / "results/report.json"
        left = report.read_bytes() if report.exists() else b""
        return Built(tmp_path, left, (tmp_path / "results/exit").read_bytes())

    return run


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The regression test runs once per tree: how often is not what these tests are about."""
    monkeypatch.setattr(reproduce, "TIMES", 1)


def test_a_right_patch_is_proven_as_in_the_sandbox(
    candidate_of: Callable[..., Candidate], build: Callable[..., Built]
) -> None:
    candidate = candidate_of()
    built = build(candidate)
    gates = built.gates(candidate)
    here = f"(CodeBuild project {PROJECT}, Python {sys.version.split()[0]})"
    assert gates["reproduces"].detail == (
        "tests/test_regression.py::test_label: fails before the patch with TypeError in label,"
        f" passes after it; 3 times each {here}"
    )
    assert gates["breaks_nothing"].detail == f"13 tests passed before the patch and pass after it {here}"
    assert gates["breaks_nothing"].seconds > 0
    assert "TypeError" in gates["reproduces"].runs[0].output
    assert gates["nothing_extra"].result is Result.NOT_RUN
    left = {path.name for path in built.folder.iterdir()}
    assert not left & {"job.json", "before.tar.gz", "after.tar.gz"}, "read before any code under test ran"


def test_a_wrong_patch_is_disproven_with_findings_to_act_on(
    candidate_of: Callable[..., Candidate], build: Callable[..., Built], once: None
) -> None:
    candidate = candidate_of(WRONG)
    gate = build(candidate).gates(candidate)["reproduces"]
    assert gate.result is Result.FAIL
    assert gate.findings[0].startswith(
        "tests/test_regression.py::test_label still fails after the patch: TypeE"
    )


def test_a_command_of_the_app_s_own_runs_on_both_trees_without_the_role_s_credentials(
    candidate_of: Callable[..., Candidate], build: Callable[..., Built]
) -> None:
    script = "env; sleep 60 & echo $! >> ../daemons; grep -q 'ORD-\" + order' shop/reports.py"
    candidate = candidate_of(test="", command=("sh", "-c", script))
    built = build(candidate, DATABASE_URL="postgres://db")
    gates = built.gates(candidate)
    assert gates["reproduces"].detail.startswith(f"not run: {prove.NO_TEST}")
    broken = gates["breaks_nothing"]
    assert broken.result is Result.FAIL
    assert "succeeded before the patch and ends with 1 after it" in broken.detail
    assert "DATABASE_URL=postgres://db" in broken.runs[0].output
    for secret in ("hunter2", "builds/secret", NONCE):
        assert secret not in broken.runs[0].output
    daemons = (built.folder / "daemons").read_text().split()
    assert len(daemons) == 2
    assert not [pid for pid in daemons if Path(f"/proc/{pid}").exists()]


HEAD = """import json, os, pathlib, signal, time
from shop.reports import label


def test_it():
"""
ATTACKS = {
    "writes a report of its own": """
        pathlib.Path("../results").mkdir(exist_ok=True)
        pathlib.Path("../results/report.json").write_text('{"nonce": "?"}')
        label({"number": "17"})""",
    "ends the run early, as if all were well": "os._exit(0)",
    "kills the driver and reports in its place": """
        pathlib.Path("../results").mkdir(exist_ok=True)
        pathlib.Path("../results/report.json").write_text('{"nonce": "?", "problem": "no python3 here"}')
        os.kill(os.getppid(), signal.SIGKILL)""",
    "writes later, from a process that left": """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(0.5)
                pathlib.Path("../results/report.json").write_text('{"nonce": "?"}')
            os._exit(0)
        label({"number": 17})""",
    "tells of tests that never ran": """
        line = {"test": "tests/test_regression.py::test_it", "when": "call", "outcome": "passed"}
        for fd in range(3, 20):
            try:
                os.write(fd, json.dumps({**line, "exception": None}).encode() + b"\\n")
            except OSError:
                pass
        label({"number": 17})""",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_tampering_with_the_results_makes_no_proof_of_a_failure(
    attack: str, candidate_of: Callable[..., Candidate], build: Callable[..., Built], once: None
) -> None:
    body = indent(dedent(ATTACKS[attack]).strip(), "    ")
    candidate = candidate_of(WRONG, f"{HEAD}{body}\n", ("true",))
    built = build(candidate)
    time.sleep(0.7 if "later" in attack else 0)
    assert built.gates(candidate)["reproduces"].result is Result.FAIL
    if (built.folder / "results/report.json").exists() and "kills" not in attack:
        assert json.loads((built.folder / "results/report.json").read_bytes())["nonce"] == NONCE


@pytest.mark.parametrize(
    ("image", "result", "said"),
    [
        ("without python3", Result.NOT_RUN, "not run: the build's image has no python3"),
        ("without pytest", Result.NOT_RUN, "No module named 'pytest' (CodeBuild project"),
        ("with a python3 that fails", Result.FAIL, "the build ended before it could report (exit code 9)"),
    ],
)
def test_what_the_image_lacks_is_said_and_nothing_is_called_proven(
    image: str,
    result: Result,
    said: str,
    candidate_of: Callable[..., Candidate],
    build: Callable[..., Built],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    programs = tmp_path_factory.mktemp("image")
    if image == "without pytest":
        venv.create(programs, with_pip=False, symlinks=True)
        programs /= "bin"
    elif image != "without python3":
        (programs / "python3").write_text("#!/bin/sh\nexit 9\n")
        (programs / "python3").chmod(0o755)
    (programs / "mkdir").symlink_to("/bin/mkdir")
    candidate = candidate_of()
    gates = build(candidate, str(programs)).gates(candidate)
    for name in ("reproduces", "breaks_nothing"):
        assert gates[name].result is result
        assert said in gates[name].detail


def test_plugins_of_the_image_are_loaded_but_tests_run_where_they_are_watched(
    candidate_of: Callable[..., Candidate], build: Callable[..., Built]
) -> None:
    options = '[tool.pytest.ini_options]\naddopts = "-n 2 --import-mode=importlib"\n'
    candidate = candidate_of(test="", files={"pyproject.toml": options})
    gate = build(candidate, PYTEST_DISABLE_PLUGIN_AUTOLOAD="").gates(candidate)["breaks_nothing"]
    assert gate.detail.startswith("13 tests passed before the patch and pass after it (CodeBuild"), gate


def test_a_run_that_does_not_end_is_stopped(
    candidate_of: Callable[..., Candidate], build: Callable[..., Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "SUITE_SECONDS", 0.3)
    candidate = candidate_of(test="", command=("sleep", "60"))
    gate = build(candidate).gates(candidate)["breaks_nothing"]
    assert gate.result is Result.NOT_RUN
    assert gate.detail.startswith("not run: sleep 60 was stopped even without the patch (CodeBuild project")


OUTCOME = {"exit_code": 0, "stopped": "", "seconds": 1.0, "output": "", "report": ""}
WHOLE: dict[str, Any] = {
    "nonce": NONCE, "python": "3.12.1", "problem": "", "pytest": "8.3.0", "started": True,
    "reproduction": {"before": [OUTCOME] * 3, "after": [OUTCOME] * 3},
    "suite": {"before": OUTCOME, "after": OUTCOME, "plain": False},
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"python": 3},
        {"problem": ["x"]},
        {"problem": "disk full"},
        {"reproduction": {"before": [OUTCOME], "after": [OUTCOME]}},
        {"reproduction": {"before": [OUTCOME] * 3}},
        {"suite": {"before": OUTCOME, "plain": False}},
        {"suite": [OUTCOME, OUTCOME]},
        *[
            {"suite": {"before": {**OUTCOME, **broken}, "after": OUTCOME, "plain": False}}
            for broken in (
                {"exit_code": None}, {"exit_code": "0"}, {"exit_code": True}, {"exit_code": -9},
                {"exit_code": 0, "stopped": "time"}, {"stopped": "bored", "exit_code": None},
                {"seconds": float("nan")}, {"seconds": "1"}, {"output": ["x"]}, {"report": None},
            )
        ],
    ],
    ids=str,
)  # fmt: skip
def test_a_report_that_the_driver_would_not_write_counts_as_a_failure(
    change: dict[str, Any], candidate_of: Callable[..., Candidate]
) -> None:
    report = json.dumps({**WHOLE, **change}).encode()
    with pytest.raises(results.NotBelieved):
        results.read(report, b"0\n", NONCE)
    found = prove.gates(candidate_of(), PROJECT, report, b"0\n", NONCE)
    assert found[0].result is Result.FAIL


@pytest.mark.parametrize("report", [b"[" * 100_000, b"\xff", b"{}", b"[]", b"null", b'{"nonce": 1e999}'])
def test_what_is_no_report_at_all_is_a_failure_and_no_error(report: bytes) -> None:
    with pytest.raises(results.NotBelieved):
        results.read(report, b"0\n", NONCE)


def test_a_report_without_a_run_that_was_asked_for_is_a_failure(
    candidate_of: Callable[..., Candidate],
) -> None:
    report = json.dumps({**WHOLE, "suite": None, "reproduction": None}).encode()
    found = prove.gates(candidate_of(), PROJECT, report, b"0\n", NONCE)
    assert [gate.result for gate in found] == [Result.FAIL, Result.FAIL, Result.NOT_RUN]


def test_a_driver_that_could_not_start_proves_nothing(candidate_of: Callable[..., Candidate]) -> None:
    report = json.dumps({"nonce": NONCE, "python": "3", "problem": "OSError: no space"}).encode()
    found = prove.gates(candidate_of(), PROJECT, report, b"0\n", NONCE)
    assert {gate.result for gate in found} == {Result.NOT_RUN}
    assert "could not start: OSError: no space" in found[0].detail


def test_a_python_that_is_too_old_is_said_before_anything_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "8", "10"))
    answer: dict[str, Any] = {}
    with pytest.raises(RuntimeError, match="or newer"):
        Driver(tmp_path, {}, answer).work({"reproduction": None, "suite": None})
    assert "started" not in answer


def test_the_same_candidate_gives_the_same_bundle(candidate_of: Callable[..., Candidate]) -> None:
    assert bundle.bundle(candidate_of(), NONCE) == bundle.bundle(candidate_of(), NONCE)


def test_of_the_environment_only_the_project_s_own_variables_are_passed_on() -> None:
    given = dict.fromkeys(
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ROLE_ARN", "CODEBUILD_BUILD_ID"), "x"
    )
    kept = environment({**given, "AWS_DEFAULT_REGION": "eu-central-1", "DJANGO_SETTINGS_MODULE": "s"})
    assert not given.keys() & kept.keys()
    assert (kept["AWS_DEFAULT_REGION"], kept["DJANGO_SETTINGS_MODULE"]) == ("eu-central-1", "s")
