"""Deploys a synthesised cloud assembly to the emulator, as `cdk deploy` would to AWS."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.local.emulator import Emulator

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
"""Templates check that this is at least 6."""

DEPLOY_SECONDS = 120
EPOCH = (1980, 1, 1, 0, 0, 0)
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")


class DeployError(RuntimeError):
    """A stack could not be deployed. The message names the resource that failed first, and its reason."""


@dataclass(frozen=True, slots=True)
class _Stack:
    name: str
    template: str
    """Where the assets put the template, as `s3://bucket/key`."""
    parameters: frozenset[str]
    assets: dict[str, Any]


def deploy(
    assembly: Path, stack_name: str, emulator: Emulator, parameters: dict[str, str] | None = None
) -> dict[str, str]:
    """Create or update one stack of a cloud assembly (a `cdk.out` directory).

    stack_name: the stack's name or its artifact id. parameters: CloudFormation parameters; those left out
    keep their value, or take the template's default.

    Returns the stack's outputs. Raises DeployError.
    """
    stack = _read(assembly, stack_name)
    session = emulator.session()
    session.client("ssm").put_parameter(
        Name=BOOTSTRAP_PARAMETER, Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
    )
    _upload(assembly, stack.assets, session.client("s3"), emulator)
    formation: Any = session.client("cloudformation")
    request: dict[str, Any] = {
        "StackName": stack.name,
        "TemplateURL": f"{emulator.endpoint}/{_placed(stack.template, emulator).removeprefix('s3://')}",
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in (parameters or {}).items()],
        "Capabilities": list(CAPABILITIES),
    }
    try:
        before = formation.describe_stacks(StackName=stack.name)["Stacks"][0]
    except ClientError:
        _ask(formation.create_stack, request)
    else:
        known = {item["ParameterKey"] for item in before.get("Parameters", [])}
        kept = known & stack.parameters - set(parameters or {})
        request["Parameters"] += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)]
        _ask(formation.update_stack, request)
    return _outputs(formation, stack.name)


def _ask(operation: Callable[..., Any], request: dict[str, Any]) -> None:
    try:
        operation(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise DeployError(f"{request['StackName']}: {error}") from error


def _read(assembly: Path, stack_name: str) -> _Stack:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    for identifier, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        name = properties.get("stackName", identifier)
        if artifact["type"] != "aws:cloudformation:stack" or stack_name not in (name, identifier):
            continue
        assets: dict[str, Any] = {}
        for dependency in artifact.get("dependencies", []):
            if artifacts[dependency]["type"] == "cdk:asset-manifest":
                manifest = assembly / artifacts[dependency]["properties"]["file"]
                assets |= json.loads(manifest.read_text())["files"]
        template = json.loads((assembly / properties["templateFile"]).read_text())
        parameters = frozenset(template.get("Parameters", {}))
        return _Stack(name, properties["stackTemplateAssetObjectUrl"], parameters, assets)
    raise DeployError(f"{assembly} holds no stack {stack_name!r}")


def _placed(text: str, emulator: Emulator) -> str:
    """A bucket or key with the account and region put in."""
    places = {
        "${AWS::AccountId}": emulator.account,
        "${AWS::Region}": emulator.region,
        "${AWS::Partition}": "aws",
    }
    for placeholder, value in places.items():
        text = text.replace(placeholder, value)
    return text


def _upload(assembly: Path, assets: dict[str, Any], s3: Any, emulator: Emulator) -> None:
    """Put each file asset where its manifest says. What is there already is left: keys are hashes."""
    buckets: set[str] = set()
    for asset in assets.values():
        source = asset["source"]
        for destination in asset["destinations"].values():
            bucket, key = (
                _placed(destination["bucketName"], emulator),
                _placed(destination["objectKey"], emulator),
            )
            if bucket not in buckets:
                with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
                    s3.create_bucket(Bucket=bucket)
                buckets.add(bucket)
            if not _exists(s3, bucket, key):
                body = _content(assembly / source["path"], source.get("packaging", "file"))
                s3.put_object(Bucket=bucket, Key=key, Body=body)


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return True


def _content(path: Path, packaging: str) -> bytes:
    return zip_directory(path) if packaging == "zip" and path.is_dir() else path.read_bytes()


def zip_directory(directory: Path) -> bytes:
    """A zip file of a directory: the same bytes for the same files, whatever their dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(p for p in directory.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(path.relative_to(directory).as_posix(), EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(info, path.read_bytes())
    return buffer.getvalue()


def _outputs(formation: Any, name: str) -> dict[str, str]:
    deadline = time.monotonic() + DEPLOY_SECONDS
    while time.monotonic() < deadline:
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
        status = stack["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if status.endswith(("ROLLBACK_COMPLETE", "FAILED")):
            raise DeployError(f"{name} is {status}: {_first_failure(formation, name)}")
        time.sleep(0.05)
    raise DeployError(f"{name} is still {status} after {DEPLOY_SECONDS} s")


def _first_failure(formation: Any, name: str) -> str:
    """The oldest failure of the last operation; later ones are its consequences."""
    reason = "no reason was given"
    for event in formation.describe_stack_events(StackName=name)["StackEvents"]:
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', reason)}"
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and event["ResourceStatus"] in (
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
        ):
            break
    return reason
