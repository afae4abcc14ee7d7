"""Builds that run, under the project's role; and Task states that wait for them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local.gaps.bench import Bench, MiniStackAlone

pytestmark = pytest.mark.embedded

RUN_BUILD = "arn:aws:states:::codebuild:startBuild.sync"
ROLE_MAY = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetObject",
    "s3:PutObject",
]


def build_of(bench: Any, name: str, *commands: str, may: list[str] | None = None) -> dict[str, Any]:
    """A project whose role may do so much, and the arguments for a build that runs these commands."""
    bench.client("s3").create_bucket(Bucket=name)
    buildspec = {
        "version": "0.2",
        "phases": {"build": {"commands": list(commands)}},
        "artifacts": {"base-directory": "out", "files": ["**/*"]},
    }
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as source:
        source.writestr("buildspec.json", json.dumps(buildspec))
        source.writestr("greeting.txt", "good morning")
    bench.client("s3").put_object(Bucket=name, Key="in/source.zip", Body=package.getvalue())
    bench.client("codebuild").create_project(
        name=name,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=bench.make_role(name, ROLE_MAY if may is None else may),
    )
    return {
        "projectName": name,
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{name}/in/source.zip",
        "buildspecOverride": "buildspec.json",
        "artifactsOverride": {
            "type": "S3", "location": name, "path": "to", "name": "results", "packaging": "NONE"
        },
    }  # fmt: skip


def ended(bench: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    codebuild = bench.client("codebuild")
    identifier = codebuild.start_build(**arguments)["build"]["id"]

    def build() -> dict[str, Any] | None:
        (found,) = codebuild.batch_get_builds(ids=[identifier])["builds"]
        return found if found["buildStatus"] != "IN_PROGRESS" else None

    result: dict[str, Any] = bench.wait_for(build)
    return result


def capitalised(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name[0].upper() + name[1:]: capitalised(item) for name, item in value.items()}


def waiting(arguments: dict[str, Any]) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": RUN_BUILD, "Arguments": capitalised(arguments), "End": True}
    return {"Run": {**state, "TimeoutSeconds": 60, "Output": "{% $states.result.Build.BuildStatus %}"}}


def left(bench: Any, name: str) -> dict[str, bytes]:
    s3 = bench.client("s3")
    listed = s3.list_objects_v2(Bucket=name, Prefix="to/").get("Contents", [])
    return {row["Key"]: s3.get_object(Bucket=name, Key=row["Key"])["Body"].read() for row in listed}


def test_ministack_runs_nothing_and_calls_it_a_success(tmp_path: Path) -> None:
    class WithCodeBuild(MiniStackAlone):
        def _environment(self, *args: Any) -> dict[str, str]:
            return {**super()._environment(*args), "AUTH": "false"}

    with WithCodeBuild(tmp_path) as emulator:
        bench = Bench(emulator)
        name = "runs-nothing"
        assert ended(bench, build_of(bench, name, "false"))["buildStatus"] == "SUCCEEDED"
        execution = bench.start(bench.make_machine(name, waiting({"projectName": name})))
        assert "not yet implemented" in bench.finish(execution)["cause"]


def test_a_build_runs_its_commands_on_the_source_and_leaves_what_they_made(aws: Bench) -> None:
    name = "greets"
    arguments = build_of(
        aws,
        name,
        "mkdir out && cp greeting.txt out/; echo done",
        'echo "${AWS_SECRET_ACCESS_KEY-none}" > out/key',
    )
    build = ended(aws, arguments)
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    assert left(aws, name) == {"to/results/greeting.txt": b"good morning", "to/results/key": b"none\n"}
    assert [phase["phaseType"] for phase in build["phases"]][-2:] == ["BUILD", "UPLOAD_ARTIFACTS"]
    assert aws.messages(f"/aws/codebuild/{name}") == ["done\n"]
    assert "/_console/logs/%2Faws%2Fcodebuild%2Fgreets/" in build["logs"]["deepLink"]


def test_step_functions_wait_for_the_build_and_fail_with_it(aws: Bench) -> None:
    good = build_of(aws, "good", "mkdir out; sleep 1; echo 1 > out/x")
    bad = build_of(aws, "bad", "mkdir out", "exit 3")
    executions = [aws.start(aws.make_machine(a["projectName"], waiting(a))) for a in (good, bad)]
    nobody = aws.start(aws.make_machine("nobody", waiting({"projectName": "nobody"})))

    done, failed, missing = (aws.finish(execution) for execution in (*executions, nobody))

    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", "SUCCEEDED")
    assert "to/results/x" in left(aws, "good")
    assert failed["error"] == "States.TaskFailed"
    phase = json.loads(failed["cause"])["Build"]["Phases"][-1]
    assert (phase["PhaseType"], phase["Contexts"][0]["StatusCode"]) == ("BUILD", "COMMAND_EXECUTION_ERROR")
    assert missing["error"] == "CodeBuild.ResourceNotFoundException"


@pytest.mark.parametrize(
    ("lacking", "phase"),
    [
        ("logs:CreateLogStream", "PROVISIONING"),
        ("s3:GetObject", "DOWNLOAD_SOURCE"),
        ("s3:PutObject", "UPLOAD_ARTIFACTS"),
    ],
)
def test_the_project_s_role_is_enforced(aws: Bench, lacking: str, phase: str) -> None:
    name = lacking.replace(":", "-").lower()
    build = ended(
        aws, build_of(aws, name, "mkdir out; echo 1 > out/x", may=[a for a in ROLE_MAY if a != lacking])
    )
    assert (build["buildStatus"], build["phases"][-1]["phaseType"]) == ("FAILED", phase)


def test_a_build_can_be_stopped(aws: Bench) -> None:
    codebuild = aws.client("codebuild")
    identifier = codebuild.start_build(**build_of(aws, "stops", "sleep 60"))["build"]["id"]
    codebuild.stop_build(id=identifier)
    (build,) = codebuild.batch_get_builds(ids=[identifier])["builds"]
    assert build["buildStatus"] == "STOPPED"
