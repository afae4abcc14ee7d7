"""The functions' packages as CDK code assets."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_

from functions.harness import interpreters
from infra.layer import layer_tree
from infra.packaging import PYTHON, Packaging, Tree, digest, handler, stage, tree, write
from infra.spec import Spec

# Images run what a repository's tests import, which are wheels for the platform of the app. All come from one
# build, for one platform: another would be built under emulation. Zips are Python alone, and run where it
# costs a fifth less (https://aws.amazon.com/lambda/pricing/).
ARCHITECTURE = lambda_.Architecture.X86_64
LIGHT_ARCHITECTURE = lambda_.Architecture.ARM_64
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
        if spec.image and self._packaging is Packaging.IMAGE:
            image = self._stage(files)
            return Code(
                lambda_.Code.from_asset_image(
                    str(image), cmd=[handler(spec)], platform=PLATFORM, target=stage(spec)
                ),
                lambda_.Handler.FROM_IMAGE,
                lambda_.Runtime.FROM_IMAGE,
            )
        folder = self._stage(files) if self._packaging is Packaging.ZIP else self._stage_compiled(files)
        asset = lambda_.Code.from_asset(
            str(folder), asset_hash=digest(files), asset_hash_type=AssetHashType.CUSTOM
        )
        return Code(asset, handler(spec), RUNTIME)

    def layers(self, stack: Stack) -> list[lambda_.ILayerVersion]:
        """The libraries of light functions, except where the interpreter that runs them brings everything."""
        if self._packaging is Packaging.ZIP:
            return []
        files = layer_tree()
        staged = str(self._stage_compiled(files))
        return [
            lambda_.LayerVersion(
                stack,
                "Libraries",
                code=lambda_.Code.from_asset(
                    staged, asset_hash=digest(files), asset_hash_type=AssetHashType.CUSTOM
                ),
                compatible_architectures=[LIGHT_ARCHITECTURE],
                compatible_runtimes=[RUNTIME],
                description="What light functions import, as requirements.lock has it",
            )
        ]

    def _stage(self, files: Tree) -> Path:
        folder = self._staging / digest(files)
        return folder if folder.exists() else write(files, folder)

    def _stage_compiled(self, files: Tree) -> Path:
        """Staged with bytecode, if an interpreter of the functions' version is here: Lambda cannot write, and
        would compile at each cold start. The asset's hash is its sources' alone.
        """
        folder = self._stage(files)
        if compiler := interpreters.find(PYTHON):
            options = ("-qq", "--invalidation-mode", "unchecked-hash", "-s", str(folder))
            subprocess.run(
                [compiler.executable, "-I", "-m", "compileall", *options, str(folder)], check=False
            )
        return folder
