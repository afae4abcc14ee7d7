"""Healing an app whose tests run in CodeBuild, under the role that .github/PROOF.md gives to its project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from functions.core.workflow.evidence import Result
from infra.cli.report import gather
from tests.e2e.conftest import BUGGY
from tests.fakes.scripted_model import tool_call

if TYPE_CHECKING:
    from functions.core.incidents.incident import Incident
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

PROOF = Path(__file__).parents[2] / ".github/PROOF.md"
PROJECT = "self-heal-orders"
TESTS = "from rates import days\n\n\ndef test_days():\n    assert days('NZ') == 14\n"
REGRESSION = "from rates import rate\n\n\ndef test_rate():\n    assert rate('NZ') == 19.5\n"


def proposing(replacement: str) -> dict[str, Any]:
    """The model's answer: this in place of the line that failed, with a regression test."""
    edit = {"path": "rates.py", "search": "return RATES[country]", "replace": f"return {replacement}"}
    proposal = {
        "root_cause": "RATES has no entry for every country",
        "title": "Use the default rate",
        "explanation": "As days() does.",
        "edits": [edit],
        "confidence": 0.9,
        "regression_test": {"path": "tests/test_rate_default.py", "code": REGRESSION},
    }
    return tool_call("propose_patch", json.dumps(proposal))


def create_project(world: World) -> None:
    """As the page says it."""
    policy = re.search(r"```json\n(.*?)```", PROOF.read_text(), re.S)
    assert policy
    text = policy[1].replace("BUCKET", world.target.output("ArtifactsBucket"))
    iam = world.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}}
    trusting = json.dumps({"Statement": [{**trust, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName=PROJECT, AssumeRolePolicyDocument=trusting)["Role"]
    document = text.replace('"KEY"', json.dumps(world.target.output("DataKeyArn")))
    iam.put_role_policy(RoleName=PROJECT, PolicyName="Build", PolicyDocument=document)
    world.client("codebuild").create_project(
        name=PROJECT,
        source={"type": "NO_SOURCE", "buildspec": "{}"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role["Arn"],
    )


def results(world: World, incident: Incident) -> dict[str, Any]:
    evidence = gather(world.target, incident).evidence
    assert evidence
    return {gate.gate: gate.result for gate in evidence.gates}


def test_an_app_with_a_project_is_healed_through_its_builds(world: World) -> None:
    app = world.app({"rates.py": BUGGY, "tests/test_days.py": TESTS}, codebuild_project=PROJECT)
    world.model.scripts[app.name] = proposing("RATES[country.upper()]")
    world.log(app)
    failed = world.until(app, Status.FAILED)
    assert "RunBuild failed: CodeBuild.ResourceNotFoundException" in failed.reason

    create_project(world)
    world.model.scripts[app.name] = proposing('RATES.get(country, RATES["default"])')
    world.redrive(failed)

    waiting = world.until(app, Status.AWAITING_APPROVAL, Status.ABSTAINED)
    assert waiting.status is Status.AWAITING_APPROVAL, waiting.reason
    assert waiting.attempts == 2, "the first patch was disproven, and its findings went back to the model"
    rows = [row for row in world.history(waiting) if row.kind == "Task"]
    judged = ["ProposePatch", "ValidatePatch", "RunBuild", "ValidatePatch"]
    assert [row.state for row in rows][-9:] == [*judged, *judged, "AwaitApproval"]
    assert [row.redrive for row in rows if row.state == "RunBuild"] == [1, 1]
    report = gather(world.target, waiting)
    assert report.evidence
    assert report.evidence.build
    assert report.evidence.build.project == PROJECT
    assert report.evidence.build.log_url == [row.log_url for row in rows if row.state == "RunBuild"][-1] != ""
    gates = {gate.gate: gate for gate in report.evidence.gates}
    assert gates["reproduces"].result is gates["regression_tests"].result is Result.PASS
    assert f"3 times each (CodeBuild project {PROJECT}; Python 3." in gates["reproduces"].detail

    world.decide(waiting, Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
    (pull,) = world.pulls(app)
    assert f"The tests ran in CodeBuild project `{PROJECT}` ([log](<http" in pull["body"]
