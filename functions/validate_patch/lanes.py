"""Where a candidate's job runs: ValidatePatch leaves it there once, and judges what comes back the second
time.

It is left where the lane alone can reach it, in a folder whose name nobody can guess, and with it an empty
report: a lane that leaves nothing leaves that.

    lambda       runs/<heal>/<attempt>-…/         the stack's own runner, by RunPatch
    microvm      the same                         a virtual machine per run in its place, by RunPatch
    codebuild    builds/<project>/<heal>/…/       a CodeBuild project of the app's own, by RunBuild
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.builds import log_url
from functions.core.workflow.evidence import Build
from functions.core.workflow.heal import Heal
from functions.core.workflow.runs import JOB, LAMBDA, MICROVM, REPORT
from functions.harness.job import VERSION, RunLimits
from functions.harness.runner import MOST_BYTES, Ran
from functions.validate_patch import order
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.validate import Examined, Validation, judge

DEFERRED = "deferred"
"""The verdict before a run: the gates that read passed, the others follow from what is run."""

_NO_PYTHON = "127"
"""What a shell tells when it does not find a command."""
_EXPERIMENT = "experiment.json"
_REPORT, _EXIT = "results/report.json", "results/exit"

BUILD_SECONDS = 7.5 * 3600
"""Of a build's 8 hours in the workflow: what a job may take."""
_BUILD_BOUNDS: dict[str, Any] = {
    "seconds": BUILD_SECONDS,
    # The project's container has bounds of its own, and its tests need more than a Lambda.
    "limits": RunLimits(3 * 3600.0, 1 << 40, 1 << 40, 1 << 15, 1 << 12),
}
_BUILD_TEST_SECONDS = 600.0
"""For each run of the regression test: services may have to start."""

_HELD = {
    LAMBDA: "a Lambda function of its own that may do nothing, without a way out, never used for another run",
    MICROVM: "a Lambda MicroVM of its own, without a role or a way in, whose way out is a named connector",
}
"""What held the code, by the lane that RunPatch names."""

# JSON is YAML. The driver ends with 0 whatever the tests do, so that a build that fails is one that could
# not run; # how the driver itself ended is told by the shell, which code under test is not.
_DRIVE = "import sys; sys.path.insert(0, '.'); from functions.harness.driver import main; sys.exit(main())"
BUILDSPEC: dict[str, Any] = {
    "version": "0.2",
    "phases": {
        "build": {
            "commands": [
                f'SELFHEAL_KEEP_ENVIRONMENT=1 python3 -I -c "{_DRIVE}" < job.zip > report.json; code=$?;'
                ' rm -rf results; mkdir results; mv report.json results/; echo "$code" > results/exit'
            ]
        }
    },
    "artifacts": {"base-directory": "results", "files": ["**/*"]},
}
_HARNESS = Path(order.__file__).resolve().parents[1] / "harness"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What the workflow starts a run with: the `run` or `build` part of a deferred verdict."""

    folder: str
    """Key prefix of this run's own, with a part that nobody can guess."""
    nonce: str
    """Must come back in the report."""
    bucket: str = ""
    project: str = ""
    """The CodeBuild project; "" for the stack's own runner."""
    experiment: str = ""
    """Reference to what the job asks for, by which the report is judged."""
    version: int = 1
    """Of the job and of its report. Orders of before it was told are of the first."""
    deployed: str = ""
    """Reference to what came out at the deployed revision, where this run is on the head."""

    def to_state(self) -> dict[str, Any]:
        part = "build" if self.project else "run"
        return {"verdict": DEFERRED, part: asdict(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> RunOrder:
        """The order that a deferred verdict holds; what a later version says beside it is ignored."""
        validation = state["validation"]
        told = validation["build" if "build" in validation else "run"]
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in told.items() if name in known})


def ordered(
    heal: Heal,
    artifacts: Artifacts,
    candidate: Candidate,
    dependencies: bytes,
    besides: Mapping[str, Any],
    deployed: str = "",
) -> RunOrder:
    """Leave what the lane needs. A second run leaves another order; only the last one is followed.

    besides: what is asked in place of, or beside, what is always asked (see `order.asked`).
    """
    project = candidate.context.app.codebuild_project
    place = f"{heal.heal_id}/{heal.attempt}-{secrets.token_hex(16)}"
    folder = f"builds/{project}/{place}" if project else f"runs/{place}"
    bounds: dict[str, Any] = {}
    asked = order.asked(candidate)
    if project:
        seconds = _BUILD_BOUNDS["limits"].seconds
        asked = order.asked(candidate, test_seconds=_BUILD_TEST_SECONDS, suite_seconds=seconds)
        bounds |= _BUILD_BOUNDS
        if candidate.context.python.guessed:
            bounds["python"] = ""  # the project's image says it
    asked |= besides
    told = artifacts.put_json(heal.attempt_key(_EXPERIMENT), asked)
    given = RunOrder(folder, secrets.token_hex(16), artifacts.bucket, project, told, VERSION, deployed)
    job = order.job_of(candidate, asked, given.nonce, dependencies, **bounds).pack()
    if project:
        for name in (_REPORT, _EXIT):
            artifacts.put(f"{folder}/{name}", b"")
        artifacts.put(f"{folder}/source.zip", bundle(job), "application/zip")
    else:
        artifacts.put(f"{folder}/{REPORT}", b"")
        artifacts.put(f"{folder}/{JOB}", job, "application/zip")
    return given


def came_back(state: Mapping[str, Any]) -> bool:
    """Whether ValidatePatch is asked for the second time for this attempt. Then there is always a verdict,
    so the workflow cannot go round in circles.

    But what was ordered before an upgrade that changed jobs or reports is ordered anew, once: between then
    and now (a redrive may be days later) neither the runner nor the judge might know it any more, which is
    nothing that the patch has done.
    """
    if state.get("validation", {}).get("verdict") != DEFERRED:
        return False
    return RunOrder.from_state(state).version == VERSION


def why_not_ordered(state: Mapping[str, Any], examined: Examined) -> str:
    """Why no run can be ordered, or "". A running heal keeps the workflow that it began under, redriven or
    not: that of before there was RunPatch sends what is deferred to a build, which only a project's can be.
    RunPatch's workflow says `can_run`."""
    if state.get("can_run") or examined.candidate.context.app.codebuild_project:
        return ""
    return (
        "this heal began before an upgrade, under a workflow that has no state to run it in: approve it only"
        " if you can judge it without a proof"
    )


def judged(
    state: Mapping[str, Any], heal: Heal, artifacts: Artifacts, examined: Examined, base_sha: str
) -> Validation:
    """The verdict on what the lane left."""
    given = RunOrder.from_state(state)
    # A heal that began when no reference was told has none.
    asked = artifacts.get_json(given.experiment or heal.attempt_key(_EXPERIMENT))
    if not given.project:
        report = artifacts.get_at_most(f"{given.folder}/{REPORT}", MOST_BYTES)
        run = state.get("run", {})
        # A heal that began before there was another lane names none.
        ran = Ran(report, _HELD[run.get("lane", LAMBDA)], str(run.get("ended", "")))
        return judge(examined, ran, given.nonce, asked, base_sha)
    build = Build(given.project, state["build"]["arn"], log_url(state["build"]["log_url"]))
    report = artifacts.get_at_most(f"{given.folder}/{_REPORT}", MOST_BYTES)
    ended = artifacts.get_at_most(f"{given.folder}/{_EXIT}", MOST_BYTES) or b""
    return judge(examined, _built(given.project, report, ended), given.nonce, asked, base_sha, build)


def bundle(job: bytes) -> bytes:
    """What a build gets: the job, and the harness that runs it. The same job gives the same bytes."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as package:
        _add(package, "buildspec.json", json.dumps(BUILDSPEC).encode())
        _add(package, "job.zip", job)
        for path in sorted(_HARNESS.rglob("*.py")):
            _add(package, f"functions/harness/{path.relative_to(_HARNESS).as_posix()}", path.read_bytes())
    return body.getvalue()


def _built(project: str, report: bytes | None, ended: bytes) -> Ran:
    code = ended.decode("ascii", "replace").strip()[:3]
    how = f"the build ended before it could report (exit code {code or 'unknown'})"
    lacks = "the build's image has no python3" if code == _NO_PYTHON else ""
    return Ran(report, f"CodeBuild project {project}", how, lacks)


def _add(package: zipfile.ZipFile, name: str, data: bytes) -> None:
    package.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
