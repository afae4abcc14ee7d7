"""CodeBuild: a build really runs, and Step Functions' `.sync` waits for it.

MiniStack's builds have succeeded before they are started, unless Docker runs AWS's build agent; overrides
are ignored, and `codebuild:startBuild` is missing among Step Functions' integrations. Here a build of an S3
source downloads its zip, runs the commands of its buildspec (see container.py) and uploads what they leave.
S3 and Logs are called under the project's service role, which is enforced. Other sources, images, services,
caches, reports and the project's variables are not there; buildspecs must be JSON.

Sources: https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html and
https://docs.aws.amazon.com/step-functions/latest/dg/connect-codebuild.html
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from functions.core.aws.console import Console
from infra.local.gaps import console
from infra.local.gaps.patching import Response, answer_error, answer_json, replace, service

codebuild = service("services.codebuild")
sfn = service("services.stepfunctions")
runtime = service("core.lambda_runtime")

INTEGRATION = "arn:aws:states:::codebuild:startBuild"
MOST_SECONDS = 600
"""A build may not run longer here, whatever its time-out says."""

_processes: dict[str, subprocess.Popen[bytes]] = {}
"""Build id → what runs its commands."""


class BuildFailed(Exception):
    """A phase failed: (phase, status code, message), as the build's `phases` tell it."""


def fill() -> None:
    replace(codebuild, _start_build=start, _stop_build=stop(codebuild._stop_build))
    replace(sfn, _SERVICE_DISPATCH={**sfn._SERVICE_DISPATCH, INTEGRATION: integration})


def start(data: dict[str, Any]) -> Response:
    """The StartBuild action."""
    project = codebuild._projects.get(data.get("projectName", ""))
    if project is None:
        return answer_error(
            "ResourceNotFoundException", f"Project cannot be found: {data.get('projectName')}"
        )
    identifier = codebuild._build_id(project["name"])
    build = codebuild._make_build_record(project, identifier)
    del build["endTime"]
    group, stream = f"/aws/codebuild/{project['name']}", identifier.partition(":")[2]
    build |= {
        "buildStatus": "IN_PROGRESS",
        "currentPhase": "SUBMITTED",
        "phases": [],
        "source": {
            "type": data.get("sourceTypeOverride") or project["source"]["type"],
            "location": data.get("sourceLocationOverride") or project["source"].get("location", ""),
            "buildspec": data.get("buildspecOverride") or project["source"].get("buildspec", ""),
        },
        "artifacts": data.get("artifactsOverride") or project["artifacts"],
        "timeoutInMinutes": data.get("timeoutInMinutesOverride") or project["timeoutInMinutes"],
        "logs": {
            "groupName": group,
            "streamName": stream,
            "deepLink": Console(console.address()).log_stream(build["arn"], group, stream),
        },
    }
    codebuild._builds[identifier] = build
    threading.Thread(
        target=contextvars.copy_context().run, args=(_run, build, project["serviceRole"]), daemon=True
    ).start()
    return answer_json({"build": build})


def stop(otherwise: Any) -> Any:
    """The StopBuild action: also ends what runs."""

    def call(data: dict[str, Any]) -> Response:
        answer: Response = otherwise(data)
        if process := _processes.get(data.get("id", "")):
            process.kill()
        return answer

    return call


def integration(resource: str, arguments: Any) -> dict[str, Any]:
    """The Task state's call: the build at once or, with `.sync`, when it has ended."""
    status, _, body = codebuild._start_build(_renamed(arguments, str.lower))
    answer = json.loads(body)
    if status >= 400:
        raise sfn._ExecutionError(f"CodeBuild.{answer['__type']}", answer["message"])
    build = codebuild._builds[answer["build"]["id"]]
    while resource.endswith(".sync") and build["buildStatus"] == "IN_PROGRESS":
        time.sleep(0.1)
    result: dict[str, Any] = _renamed({"build": build}, str.upper)
    if resource.endswith(".sync") and build["buildStatus"] != "SUCCEEDED":
        raise sfn._ExecutionError("States.TaskFailed", json.dumps(result))
    return result


def _renamed(value: Any, case: Any) -> Any:
    """Step Functions spells every name of a service's API with a capital letter."""
    if isinstance(value, list):
        return [_renamed(item, case) for item in value]
    if not isinstance(value, dict):
        return value
    return {case(name[0]) + name[1:]: _renamed(item, case) for name, item in value.items()}


def _run(build: dict[str, Any], role: str) -> None:
    """The build's phases. Its record changes as they end; the status last."""
    status = "SUCCEEDED"
    with tempfile.TemporaryDirectory(prefix="build-") as folder:
        try:
            _phases(build, role, Path(folder))
        except BuildFailed as failure:
            status = _phase(build, *failure.args)
        except Exception as error:  # noqa: BLE001 - a build that is not ended would be waited for in vain
            status = _phase(build, "FINALIZING", "FAULT", f"{type(error).__name__}: {error}")
    build |= {"endTime": int(time.time()), "currentPhase": "COMPLETED"}
    if build["buildStatus"] == "IN_PROGRESS":  # else it has been stopped
        build["buildStatus"] = status


def _phases(build: dict[str, Any], role: str, folder: Path) -> None:
    clients = _clients(build, role)
    logs, names = clients("logs"), build["logs"]
    group = {"logGroupName": names["groupName"]}
    try:
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(**group)
        logs.create_log_stream(**group, logStreamName=names["streamName"])
    except ClientError as error:
        raise BuildFailed("PROVISIONING", "CLIENT_ERROR", str(error)) from error
    _phase(build, "PROVISIONING")
    s3 = clients("s3")
    _download(s3, build["source"], folder)
    _phase(build, "DOWNLOAD_SOURCE")
    try:
        _build(build, folder)
    finally:
        if (output := folder / "output").exists() and (text := output.read_text()):
            event = {"timestamp": int(time.time() * 1000), "message": text}
            logs.put_log_events(**group, logStreamName=names["streamName"], logEvents=[event])
    _phase(build, "BUILD")
    _upload(s3, build["artifacts"], folder)
    _phase(build, "UPLOAD_ARTIFACTS")


def _clients(build: dict[str, Any], role: str) -> Any:
    """Clients with the service role's credentials: its policies are enforced."""
    # MiniStack makes a session of a role for functions only, told apart by their ARN.
    region, account = build["arn"].split(":")[3:5]
    name = build["id"].replace(":", "-")
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
    credentials = runtime.execution_credentials({"Role": role, "FunctionArn": arn, "FunctionName": name})
    session = boto3.Session(
        credentials["AWS_ACCESS_KEY_ID"],
        credentials["AWS_SECRET_ACCESS_KEY"],
        credentials["AWS_SESSION_TOKEN"],
        region_name=region,
    )
    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    return lambda name: session.client(name, endpoint_url=endpoint)


def _download(s3: Any, source: dict[str, Any], folder: Path) -> None:
    bucket, _, key = source["location"].partition("/")
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as package:
            for name in package.namelist():
                package.extract(name, folder / "source")
        text = source["buildspec"]
        inline = text.lstrip().startswith("{")
        (folder / "buildspec").write_text(text if inline else (folder / "source" / text).read_text())
    except (ClientError, OSError, zipfile.BadZipFile) as error:
        raise BuildFailed("DOWNLOAD_SOURCE", "CLIENT_ERROR", str(error)) from error


def _build(build: dict[str, Any], folder: Path) -> None:
    seconds = min(MOST_SECONDS, build["timeoutInMinutes"] * 60)
    command = [sys.executable, "-m", "infra.local.gaps.container", str(folder), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        _processes[build["id"]] = process
    del _processes[build["id"]]
    if process.returncode != 0:
        raise BuildFailed("BUILD", "FAULT", f"the container ended with {process.returncode}")
    ended = json.loads((folder / "ended").read_text())
    if ended["stopped"]:
        raise BuildFailed("BUILD", "TIMED_OUT", f"build timed out ({ended['stopped']})")
    if ended["exit_code"] != 0:
        message = f"Error while executing command. Reason: exit status {ended['exit_code']}"
        raise BuildFailed("BUILD", "COMMAND_EXECUTION_ERROR", message)


def _upload(s3: Any, artifacts: dict[str, Any], folder: Path) -> None:
    """Without packaging, each file becomes an object below path and name."""
    if artifacts.get("type") != "S3":
        return
    prefix = "/".join(part.strip("/") for part in (artifacts["path"], artifacts["name"]))
    try:
        with tarfile.open(folder / "artifacts.tar") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    key = f"{prefix}/{member.name.removeprefix('./')}"
                    s3.put_object(Bucket=artifacts["location"], Key=key, Body=content.read())
    except (ClientError, tarfile.TarError) as error:
        raise BuildFailed("UPLOAD_ARTIFACTS", "CLIENT_ERROR", str(error)) from error


def _phase(build: dict[str, Any], name: str, code: str = "", message: str = "") -> str:
    """Record a phase that ended; returns its status. What failed has a context that says why."""
    status = "SUCCEEDED" if not code else code if code in ("TIMED_OUT", "FAULT") else "FAILED"
    phase: dict[str, Any] = {"phaseType": name, "phaseStatus": status, "endTime": int(time.time())}
    if code:
        phase["contexts"] = [{"statusCode": code, "message": message}]
    build["phases"].append(phase)
    build["currentPhase"] = name
    return status
