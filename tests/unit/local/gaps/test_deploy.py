"""Deploying a cloud assembly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.deploy import DeployError, deploy, zip_directory

if TYPE_CHECKING:
    from tests.unit.local.gaps.bench import Bench

BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"


def asset(path: str, key: str, packaging: str) -> dict[str, Any]:
    return {
        "source": {"path": path, "packaging": packaging},
        "destinations": {"here": {"bucketName": BUCKET, "objectKey": key}},
    }


def assemble(directory: Path, stack: str, resources: dict[str, Any], revision: str = "1") -> Path:
    """A cloud assembly with one stack, as `cdk synth` writes it."""
    template = {
        "Parameters": {"Greeting": {"Type": "String", "Default": "hello"}},
        "Resources": resources,
        "Outputs": {"Said": {"Value": {"Ref": "Greeting"}}},
    }
    code = directory / "asset.code"
    code.mkdir(exist_ok=True)
    (code / "app.py").write_text(f"def handler(event, context):\n    return {revision!r}\n")
    (directory / "S.template.json").write_text(json.dumps(template))
    files = {
        "code": asset("asset.code", f"code-{stack}-{revision}.zip", "zip"),
        "template": asset("S.template.json", f"{stack}-{revision}-{len(resources)}.json", "file"),
    }
    (directory / "S.assets.json").write_text(json.dumps({"files": files}))
    properties = {
        "templateFile": "S.template.json",
        "stackName": stack,
        "stackTemplateAssetObjectUrl": f"s3://{BUCKET}/{stack}-{revision}-{len(resources)}.json",
    }
    artifacts = {
        "S.assets": {"type": "cdk:asset-manifest", "properties": {"file": "S.assets.json"}},
        "S": {"type": "aws:cloudformation:stack", "properties": properties, "dependencies": ["S.assets"]},
    }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return directory


def function(bench: Any, stack: str, revision: str) -> dict[str, Any]:
    bucket = BUCKET.replace("${AWS::AccountId}", bench.emulator.account)
    code = {
        "S3Bucket": bucket.replace("${AWS::Region}", bench.emulator.region),
        "S3Key": f"code-{stack}-{revision}.zip",
    }
    properties = {
        "FunctionName": stack,
        "Code": code,
        "Handler": "app.handler",
        "Runtime": "python3.11",
        "Role": bench.role,
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


@pytest.mark.embedded
def test_a_stack_is_created_and_updated(aws: Bench, unique: str, tmp_path: Path) -> None:
    assembly = assemble(tmp_path, unique, {"Function": function(aws, unique, "1")})
    assert deploy(assembly, unique, aws.emulator, {"Greeting": "hi"}) == {"Said": "hi"}
    assert aws.invoke(unique)["payload"] == "1"

    assemble(tmp_path, unique, {"Function": function(aws, unique, "2")}, "2")
    # The parameter keeps its value; the artifact's id names the stack as well.
    assert deploy(assembly, "S", aws.emulator) == {"Said": "hi"}
    assert aws.invoke(unique)["payload"] == "2"

    assert deploy(assembly, unique, aws.emulator) == {"Said": "hi"}


@pytest.mark.embedded
def test_a_failure_names_the_resource_and_its_reason(aws: Bench, unique: str, tmp_path: Path) -> None:
    resources = {
        "Good": {"Type": "AWS::SNS::Topic"},
        "Bad": {"Type": "AWS::Nothing::Here", "DependsOn": "Good"},
    }
    with pytest.raises(DeployError, match="Nothing::Here"):
        deploy(assemble(tmp_path, unique, resources), unique, aws.emulator)

    broken = {"Function": function(aws, unique + "-2", "1")}
    broken["Function"]["Properties"]["Layers"] = ["no-arn"]
    with pytest.raises(DeployError, match=r"Function: .*no-arn"):
        deploy(assemble(tmp_path, unique + "-2", broken), unique + "-2", aws.emulator)


@pytest.mark.embedded
def test_a_stack_that_the_assembly_lacks_is_refused(aws: Bench, unique: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="holds no stack 'Other'"):
        deploy(assemble(tmp_path, unique, {}), "Other", aws.emulator)


def test_a_zip_depends_on_the_files_alone(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for name in ("b.py", "a.py", "package/c.py"):
        (tmp_path / name).write_text(name)
    first = zip_directory(tmp_path)
    os.utime(tmp_path / "a.py", (1, 1))
    assert zip_directory(tmp_path) == first
    (tmp_path / "a.py").write_text("changed")
    assert zip_directory(tmp_path) != first
