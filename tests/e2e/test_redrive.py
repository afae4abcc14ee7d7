"""A heal that failed resumes at the state that failed, whatever state that is."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Incident, Status
from tests.fakes.forge import Outage

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


STEPS = {
    "ClaimIncident": "claim_incident",
    "FetchSource": "fetch_source",
    "InstallDependencies": "install_dependencies",
    "ProposePatch": "propose_patch",
    "ValidatePatch": "validate_patch",
    "RunPatch": "run_patch",
    "ReviewPatch": "review_patch",
    "AwaitApproval": "await_approval",
    "CommitPatch": "commit_patch",
    "CreatePullRequest": "create_pull_request",
    "RecordOutcome": "record_outcome",
}
"""Each Task state of the way to a pull request, and its function."""
ASKED_TWICE = {"ValidatePatch", "IsValid"}


def failed_at(world: World, app: App, state: str) -> Incident:
    def failed() -> Incident | None:
        incident = world.until(app, Status.FAILED)
        return incident if state in incident.reason else None

    incident = world.eventually(failed, lambda: f"{app.name} never failed at {state}")
    assert [row.state for row in world.history(incident) if row.outcome == "failed"] == [state]
    assert world.executions(app)[0]["status"] == "FAILED"
    assert f"selfheal redrive {incident.incident_id}" in incident.next_action
    return incident


def finished_once(world: World, app: App) -> None:
    """One branch, one commit, one pull request; no state ran twice but the one that failed, and those that
    are asked again when a run is over."""
    incident = world.until(app, Status.PR_OPEN)
    assert len(world.pulls(app)) == 1
    assert len(world.commits(app, incident.branch)) == 2, "the base and one commit"
    entered = [row.state for row in world.history(incident)]
    assert len(entered) == len(set(entered)) + len(ASKED_TWICE), entered
    assert {state for state in entered if entered.count(state) == 2} == ASKED_TWICE
    assert sum(row.redrive for row in world.history(incident)[:1]) <= 1
    assert world.executions(app)[0]["status"] == "SUCCEEDED"


def test_lost_permissions_fail_each_step_in_turn_and_redrive_resumes_it(world: World) -> None:
    app = world.app(review_model="another-model")
    restore = {"ClaimIncident": world.deny("claim_incident")}
    world.log(app)
    try:
        for state, following in zip_longest(STEPS, list(STEPS)[1:]):
            incident = failed_at(world, app, state)
            if following:
                restore[following] = world.deny(STEPS[following])
            restore.pop(state)()
            world.redrive(incident)
            if state == "AwaitApproval":
                world.decide(world.until(app, Status.AWAITING_APPROVAL), Verdict.APPROVE)
    finally:
        for undo in restore.values():
            undo()
    finished_once(world, app)


def test_a_forge_whose_api_is_down_fails_at_the_pull_request_and_not_before(world: World) -> None:
    app = world.app()
    world.log(app)
    waiting = world.until(app, Status.AWAITING_APPROVAL)
    world.forge.outage = Outage(503, api_only=True)
    world.decide(waiting, Verdict.APPROVE)
    incident = failed_at(world, app, "CreatePullRequest")
    last = world.history(incident)[-1]
    assert last.tries > 1, "it was retried first"
    world.forge.outage = None
    world.redrive(incident)
    finished_once(world, app)


def test_a_forge_that_is_gone_fails_the_fetch_and_redrive_goes_on(world: World) -> None:
    app = world.app()
    world.forge.stop()
    world.log(app)
    incident = failed_at(world, app, "FetchSource")
    assert "not reachable" in incident.reason or "ForgeUnavailable" in incident.reason
    world.forge.start()
    world.redrive(incident)
    world.decide(world.until(app, Status.AWAITING_APPROVAL), Verdict.APPROVE)
    finished_once(world, app)


def test_an_approval_that_nobody_answered_is_asked_again(world: World) -> None:
    app = world.app()
    world.log(app)
    first = world.until(app, Status.AWAITING_APPROVAL)
    world.client("stepfunctions").stop_execution(executionArn=first.execution_arn, cause="operator")
    failed = world.until(app, Status.FAILED)
    world.redrive(failed)
    second = world.until(app, Status.AWAITING_APPROVAL)
    assert second.approval_id != first.approval_id
    assert str(world.approval(first).status) in ("SUPERSEDED", "EXPIRED")
    world.decide(second, Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
