"""The task callback sent by hand, as an operator sends it with the token that the console shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.task_tokens import TaskTokens
from functions.core.incidents.incident import Incident, Status

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


def send(world: World, incident: Incident, **output: Any) -> None:
    approval = world.approval(incident)
    token = TaskTokens(world.client("kms")).open(approval.token, approval.approval_id)
    world.client("stepfunctions").send_task_success(taskToken=token, output=json.dumps(output))


def test_a_payload_that_is_no_decision_fails_where_it_was_asked_and_a_redrive_asks_again(
    world: World,
) -> None:
    app = world.app()
    world.log(app)
    asked = world.until(app, Status.AWAITING_APPROVAL)

    send(world, asked, decision="approve")

    failed = world.until(app, Status.FAILED)
    assert "AwaitApproval failed" in failed.reason
    assert f"by (who decides), patch_sha256 ({asked.patch_sha256})" in failed.reason
    world.redrive(failed)
    again = world.until(app, Status.AWAITING_APPROVAL)

    send(world, again, decision="approve", by="Ana of the team", patch_sha256=again.patch_sha256)

    healed = world.until(app, Status.PR_OPEN)
    (pull,) = world.pulls(app)
    assert "Ana of the team" in pull["body"]
    assert len(world.commits(app, healed.branch)) == 2


def test_an_approval_that_is_not_on_record_commits_nothing_and_is_asked_for_again(world: World) -> None:
    app = world.app()
    world.log(app)
    asked = world.until(app, Status.AWAITING_APPROVAL)
    approve = {"decision": "approve", "by": "eve", "patch_sha256": asked.patch_sha256}

    send(world, asked, **approve, approval_id="of-nobody", decided_at="yesterday")

    world.eventually(
        lambda: next((i for i in world.incidents(app) if i.approval_id != asked.approval_id), None),
        lambda: f"nobody was asked again: {world.incidents(app)}",
    )
    again = world.until(app, Status.AWAITING_APPROVAL)
    send(world, again, **approve | {"by": "ana"}, decided_at="yesterday")
    healed = world.until(app, Status.PR_OPEN)
    assert len(world.commits(app, healed.branch)) == 2


def test_a_rejection_by_hand_ends_the_heal(world: World) -> None:
    app = world.app()
    world.log(app)
    asked = world.until(app, Status.AWAITING_APPROVAL)

    send(world, asked, decision="reject", by="ben", patch_sha256=asked.patch_sha256)

    rejected = world.until(app, Status.REJECTED)
    assert "ben" in rejected.reason


def test_a_rejection_that_is_on_no_record_ends_nothing_where_the_app_says_who_decides(world: World) -> None:
    app = world.app(approvers=["ana@shop.example"])
    world.log(app)
    asked = world.until(app, Status.AWAITING_APPROVAL)

    mine = {"by": "ana@shop.example", "patch_sha256": asked.patch_sha256, "approval_id": "of-nobody"}
    send(world, asked, decision="reject", **mine)

    failed = world.until(app, Status.FAILED)
    assert "RecordOutcome failed" in failed.reason
    assert "no record says so" in failed.reason
