"""cdk-nag finds nothing in the stack that is not explained, and nothing is explained that is not found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACCEPTED = tomllib.loads((ROOT / "infra" / "findings.toml").read_text())["accepted"]
# Everything that a deployment may choose to have.
CONTEXT = {
    "canary": "canary",
    "build_image": "aws/codebuild/standard:7.0",
    "forge_vpc": "vpc-0a1b2c3d,subnet-0a1b2c3d,subnet-1a1b2c3d",
    "packaging": "zip",
    "sign_in": "https://issuer.example,client",
    "subscribe": "account",
    "@aws-cdk/core:validationReportJson": "true",
}
SCRIPT = """
import json, sys, tempfile
from pathlib import Path
from infra.app import use_bundled_node

use_bundled_node()
from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks
from infra.synthesis import assemble

with tempfile.TemporaryDirectory() as staging:
    assemble(
        Path(sys.argv[1]),
        json.loads(sys.argv[2]),
        Path(staging),
        lambda app: Validations.of(app).add_plugins(AwsSolutionsChecks(app)),
    )
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Rule and construct of each finding. A process of its own: jsii loads a library once."""
    output = tmp_path_factory.mktemp("nag")
    command = [sys.executable, "-c", SCRIPT, str(output), json.dumps(CONTEXT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = output / "policy-validation-report.json"
    assert report.exists(), done.stderr[-2000:]
    (nag,) = json.loads(report.read_text())["pluginReports"]
    return [
        (violation["ruleName"].removeprefix("AwsSolutions-"), place["constructPath"])
        for violation in nag["violations"]
        for place in violation["violatingResources"]
    ]


def explains(row: dict[str, str], rule: str, place: str) -> bool:
    return bool(re.match(row["finding"], rule) and re.search(row["where"], place))


def test_every_finding_is_explained(found: list[tuple[str, str]]) -> None:
    assert len(found) > 50, "the rules looked at the stack"
    unexplained = [each for each in found if not any(explains(row, *each) for row in ACCEPTED)]

    assert unexplained == []


def test_every_explanation_is_needed_and_says_something(found: list[tuple[str, str]]) -> None:
    idle = [row["finding"] for row in ACCEPTED if not any(explains(row, *each) for each in found)]

    assert idle == []
    assert all(len(row["reason"]) > 20 for row in ACCEPTED)
