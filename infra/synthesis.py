"""From context values to a cloud assembly, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.packaging import Packaging
from infra.provider import SignIn
from infra.stack import Options, SelfHealingCode

# Behaviour that `cdk init` turns on for new projects and that matters here.
# https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/cx-api/FEATURE_FLAGS.md
FEATURE_FLAGS: dict[str, Any] = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:enablePartitionLiterals": False,
    "@aws-cdk/core:target-partitions": ["aws"],
    "@aws-cdk/aws-kms:aliasNameRef": True,
    "@aws-cdk/aws-events:eventsTargetQueueSameAccount": True,
    "@aws-cdk/aws-lambda:recognizeVersionProps": True,
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
}


def assemble(output: Path, context: Mapping[str, str], staging: Path) -> Path:
    """Write the cloud assembly below `output` and return its directory.

    Raises ValueError for a context value that does not fit its option.
    """
    app = App(analytics_reporting=False, context={**FEATURE_FLAGS, **context}, outdir=str(output))
    SelfHealingCode(app, options_from(app), staging)
    return Path(app.synth().directory)


def options_from(app: App) -> Options:
    """The options among the app's context values: ours, the cdk command's and `cdk.json`'s."""
    values = {field.name: app.node.try_get_context(field.name) for field in fields(Options)}
    parsed: dict[str, Any] = {}
    if values["packaging"]:
        parsed["packaging"] = Packaging(values["packaging"])
    if values["log_groups"]:
        parsed["log_groups"] = tuple(filter(None, values["log_groups"].split(",")))
    if values["reserve_concurrency"]:
        parsed["reserve_concurrency"] = {"true": True, "false": False}[values["reserve_concurrency"]]
    if values["approval_hours"]:
        parsed["approval_hours"] = int(values["approval_hours"])
    if values["package_index"]:
        if not values["package_index"].startswith("https://"):
            raise ValueError("package_index must be the https address of a package index")
        parsed["package_index"] = values["package_index"]
    if values["sign_in"]:
        parsed["sign_in"] = SignIn.parse(values["sign_in"])
    return Options(**parsed)
