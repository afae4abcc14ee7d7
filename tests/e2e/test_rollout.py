"""A second deployment beside the first: deployed by the CDK, used, and removed without a trace."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from infra.cli.connect import Place
from infra.local import emulator
from infra.names import Names
from infra.rollout import removal
from tests.e2e.inventory import inventory

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

SELFHEAL = str(Path(sys.executable).with_name("selfheal"))
BETA = Names("beta")


@pytest.fixture
def selfheal(world: World) -> Callable[..., subprocess.CompletedProcess[str]]:
    folder = Path(world.run.home).parent

    def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        command = [SELFHEAL, *arguments, "--local", "--stage", BETA.stage]
        return subprocess.run(command, cwd=folder, input=said, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def beta(world: World) -> World:
    """The system as it is seen from the second deployment."""
    session = world.run.session()
    place = Place(session, emulator.environment(world.run.endpoint))
    other = replace(world, _clients={})
    other.__dict__["target"] = world.run.target(BETA, place.outputs(BETA))
    return other


def test_a_stage_is_deployed_used_and_removed_and_nothing_is_left(
    world: World, selfheal: Callable[..., subprocess.CompletedProcess[str]], request: pytest.FixtureRequest
) -> None:
    before = inventory(world.client)

    shown = selfheal("deploy", "--diff")
    assert shown.returncode == 0, shown.stderr
    assert "AWS::StepFunctions::StateMachine" in shown.stdout + shown.stderr
    assert inventory(world.client) == before, "a look changes nothing"
    refused = selfheal("deploy", said="n\n")
    assert (refused.returncode, inventory(world.client) - before) == (1, set())
    done = selfheal("deploy", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "selfheal configure --local --stage beta" in done.stdout

    beta: World = request.getfixturevalue("beta")
    app = beta.app()
    beta.log(app)
    asked = beta.until(app, Status.AWAITING_APPROVAL)
    beta.decide(asked, Verdict.APPROVE)
    beta.until(app, Status.PR_OPEN)
    waiting = beta.app()
    beta.log(waiting)
    beta.until(waiting, Status.AWAITING_APPROVAL)
    assert world.incidents(app) == [], "the other deployment saw nothing of it"

    refused = selfheal("destroy", "--data", said="SelfHealingCode\n")
    assert refused.returncode == 1, "that is another one's name"
    assert selfheal("destroy", "--dry-run").returncode == 0
    beta.until(waiting, Status.AWAITING_APPROVAL)
    kept = selfheal("destroy", said="SelfHealingCode-beta\n")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    left = inventory(world.client) - before
    own = {f"logs logGroups: {group}" for each in (app, waiting) for group in each.log_groups}
    assert {row.split(":")[0] for row in left - own} == {"dynamodb", "s3 Buckets", "kms"}, "data is kept"
    done = selfheal("destroy", "--data", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr

    assert inventory(world.client) - before == own, "the services that were watched stay"
    assert before - inventory(world.client) == set(), "so does the other deployment"
    assert removal.DeployedStack(world.run.session(), BETA, "").left() == []
