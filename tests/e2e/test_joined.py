"""Symptoms of one cause: whatever fails because of a line, people are asked about it once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from functions.core.workflow.evidence import Result
from infra.cli.report import gather
from tests.e2e.conftest import BUGGY

if TYPE_CHECKING:
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


def test_eight_symptoms_of_one_cause_are_one_question_and_one_pull_request(world: World) -> None:
    files = {f"{way}.py": CALLER.format(way=way) for way in WAYS}
    app = world.app({"rates.py": BUGGY, **files}, packages=["rates", *WAYS])
    told = world.model.held[app.name] = threading.Event()
    world.log(app, CRASH.format(way=WAYS[0]))
    world.eventually(lambda: app.name in world.model.thinks_of or None, lambda: str(world.incidents(app)))
    for way in WAYS[1:]:
        world.log(app, CRASH.format(way=way))

    def joined() -> list[str] | None:
        found = [one.incident_id for one in world.incidents(app) if one.status is Status.JOINED]
        return found if len(found) == len(WAYS) - 1 else None

    others = world.eventually(joined, lambda: str(world.incidents(app)))
    told.set()
    incident = world.until(app, Status.AWAITING_APPROVAL, Status.ABSTAINED, Status.FAILED)
    assert incident.status is Status.AWAITING_APPROVAL, incident.reason
    assert sorted(incident.joined) == sorted(others)
    report = gather(world.target, incident)
    assert report.evidence
    (gate,) = (gate for gate in report.evidence.gates if gate.gate == "joined_reproduce")
    assert (gate.result, gate.detail.partition(" that ")[0]) == (Result.PASS, "7 of 7")

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
