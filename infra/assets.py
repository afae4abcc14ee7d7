"""The functions' packages as CDK code assets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_

from infra.catalog import Spec
from infra.packaging import PYTHON, Packaging, Tree, digest, handler, powertools_layer, stage, tree, write

ARCHITECTURE = lambda_.Architecture.X86_64
PLATFORM = ecr_assets.Platform.LINUX_AMD64
RUNTIME = lambda_.Runtime(f"python{PYTHON}", lambda_.RuntimeFamily.PYTHON)


@dataclass(frozen=True)
class Code:
    """What differs between a zip and an image."""

    code: lambda_.Code
    handler: str
    runtime: lambda_.Runtime


class Package:
    """Stages each function's tree below a directory that must exist until synthesis."""

    def __init__(self, packaging: Packaging, staging: Path) -> None:
        self._packaging = packaging
        self._staging = staging

    def code(self, spec: Spec) -> Code:
        """The function's code asset."""
        files = tree(spec)
        folder = self._stage(files)
        if spec.image and self._packaging is Packaging.IMAGE:
            return Code(
                lambda_.Code.from_asset_image(
                    str(folder), cmd=[handler(spec)], platform=PLATFORM, target=stage(spec)
                ),
                lambda_.Handler.FROM_IMAGE,
                lambda_.Runtime.FROM_IMAGE,
            )
        asset = lambda_.Code.from_asset(
            str(folder), asset_hash=digest(files), asset_hash_type=AssetHashType.CUSTOM
        )
        return Code(asset, handler(spec), RUNTIME)

    def layers(self, stack: Stack) -> list[lambda_.ILayerVersion]:
        """AWS's Powertools layer, except where the interpreter that runs the functions brings everything."""
        if self._packaging is Packaging.ZIP:
            return []
        return [lambda_.LayerVersion.from_layer_version_arn(stack, "Powertools", powertools_layer())]

    def _stage(self, files: Tree) -> Path:
        folder = self._staging / digest(files)
        return folder if folder.exists() else write(files, folder)
