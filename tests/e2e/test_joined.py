"""Symptoms of one cause: whatever fails because of a line, people are asked about it once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from functions.core.workflow.evidence import Evidence, Result
from infra.cli.report import gather
from tests.e2e.conftest import BUGGY

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from functions.core.incidents.incident import Incident
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

WAYS = tuple(f"by_{name}" for name in ("air", "bike", "boat", "car", "foot", "rail", "road", "sea"))
CALLER = '''from rates import rate


def {way}(country, kilograms):
    """Euro for a parcel."""
    return rate(country) * kilograms
'''
CRASH = """[ERROR] KeyError: 'NZ'
Traceback (most recent call last):
  File "/var/task/{way}.py", line 6, in {way}
    return rate(country) * kilograms
  File "/var/task/rates.py", line 15, in rate
    return RATES[country]
           ~~~~~^^^^^^^^^
"""


def crossing(world: World) -> App:
    """An app whose error is one line, to which each way leads."""
    files = {f"{way}.py": CALLER.format(way=way) for way in WAYS}
    return world.app({"rates.py": BUGGY, **files}, packages=["rates", *WAYS])


def joined(world: World, app: App, count: int) -> list[str]:
    """The incidents that joined, once there are so many."""

    def look() -> list[str] | None:
        found = [one.incident_id for one in world.incidents(app) if one.status is Status.JOINED]
        return found if len(found) == count else None

    return world.eventually(look, lambda: str(world.incidents(app)))


def proof_of_joined(world: World, incident: Incident) -> tuple[Result, str]:
    """What the evidence says of those that joined."""
    report = gather(world.target, world.target.incidents.get(incident.incident_id))
    assert report.evidence
    (gate,) = (gate for gate in report.evidence.gates if gate.gate == "joined_reproduce")
    return gate.result, gate.detail.partition(" that ")[0]


def test_eight_symptoms_of_one_cause_are_one_question_and_one_pull_request(world: World) -> None:
    app = crossing(world)
    told = world.model.held[app.name] = threading.Event()
    world.log(app, CRASH.format(way=WAYS[0]))
    world.eventually(lambda: app.name in world.model.thinks_of or None, lambda: str(world.incidents(app)))
    for way in WAYS[1:]:
        world.log(app, CRASH.format(way=way))
    others = joined(world, app, len(WAYS) - 1)
    told.set()
    incident = world.until(app, Status.AWAITING_APPROVAL, Status.ABSTAINED, Status.FAILED)
    assert incident.status is Status.AWAITING_APPROVAL, incident.reason
    assert sorted(incident.joined) == sorted(others)
    assert proof_of_joined(world, incident) == (Result.PASS, "7 of 7")

    world.decide(incident, Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
    assert len(world.pulls(app)) == 1
    asked = [one for one in world.incidents(app) if one.approval_id]
    assert [one.incident_id for one in asked] == [incident.incident_id]
    assert not world.approval(incident).previous_id, "it was one question"
    assert {one.status for one in world.incidents(app) if one is not incident} == {
        Status.PR_OPEN,
        Status.JOINED,
    }


def test_one_that_joins_while_people_decide_is_reproduced_before_the_commit_and_nobody_is_asked_again(
    world: World,
) -> None:
    app = crossing(world)
    world.log(app, CRASH.format(way=WAYS[0]))
    incident = world.until(app, Status.AWAITING_APPROVAL, Status.ABSTAINED, Status.FAILED)
    assert incident.status is Status.AWAITING_APPROVAL, incident.reason
    world.log(app, CRASH.format(way=WAYS[1]))
    (late,) = joined(world, app, 1)

    world.decide(incident, Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
    assert proof_of_joined(world, incident) == (Result.PASS, "1 of 1")
    after = world.target.incidents.get(incident.incident_id)
    approval = world.approval(after)
    assert after.approval_id == incident.approval_id, "it was one question"
    assert not approval.previous_id
    seen, now = (
        Evidence.from_json(world.target.artifacts.get_json(key))
        for key in (approval.evidence_key, approval.carried_to)
    )
    assert (seen.joined, now.joined, now.patch_sha256) == ((), (late,), seen.patch_sha256)
    (pull,) = world.pulls(app)
    assert f"After that `{late}` joined. The same bytes were proven again" in pull["body"]
    assert "not reproduced" not in pull["body"]
    visited = [visit.state for visit in world.history(after)]
    assert [visited.count(state) for state in ("ProposePatch", "AwaitApproval", "CommitPatch")] == [1, 2, 2]


@pytest.mark.parametrize("step", ["commit_patch", "validate_patch", "await_approval"])
def test_whichever_step_dies_on_the_way_a_redrive_goes_on_there(world: World, step: str) -> None:
    app = crossing(world)
    world.log(app, CRASH.format(way=WAYS[0]))
    incident = world.until(app, Status.AWAITING_APPROVAL, Status.ABSTAINED, Status.FAILED)
    world.log(app, CRASH.format(way=WAYS[1]))
    joined(world, app, 1)
    restore = world.deny(step)
    world.decide(incident, Verdict.APPROVE)
    world.until(app, Status.FAILED)
    assert world.pulls(app) == []
    restore()
    world.redrive(incident)
    world.until(app, Status.PR_OPEN)
    assert proof_of_joined(world, incident) == (Result.PASS, "1 of 1")
    after = world.approval(world.target.incidents.get(incident.incident_id))
    assert (after.approval_id, after.previous_id) == (incident.approval_id, ""), "it was one question"
    assert len(world.pulls(app)) == 1


def test_one_that_joins_while_people_decide_and_is_not_mended_has_people_asked_again(world: World) -> None:
    app = crossing(world)
    world.log(app, CRASH.format(way=WAYS[0]))
    incident = world.until(app, Status.AWAITING_APPROVAL, Status.ABSTAINED, Status.FAILED)
    assert incident.status is Status.AWAITING_APPROVAL, incident.reason
    world.log(app, CRASH.format(way=WAYS[1]).replace("KeyError: 'NZ'", "TypeError: unhashable type: 'list'"))
    (late,) = joined(world, app, 1)

    world.decide(incident, Verdict.APPROVE)

    def asked_again() -> Incident | None:
        now = world.target.incidents.get(incident.incident_id)
        other = now.approval_id != incident.approval_id and now.status is Status.AWAITING_APPROVAL
        return now if other else None

    again = world.eventually(asked_again, lambda: str(world.incidents(app)))
    assert world.approval(again).previous_id == incident.approval_id
    assert not world.approval(incident).carried_to
    assert world.pulls(app) == []
    world.decide(again, Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
    (pull,) = world.pulls(app)
    assert f"The same line failed as `{late}`, too: not reproduced" in pull["body"]
