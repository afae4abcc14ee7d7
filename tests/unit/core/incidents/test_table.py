"""The incidents table: every write is conditional, and twice is once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.core.incidents.incident import ErrorClass, Frame, Status
from functions.core.incidents.table import Incidents
from functions.core.workflow.errors import IncidentNotFound
from functions.detect_errors.recorder import Recorder, Sighting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SIGHTING = Sighting(
    app="orders",
    fingerprint="v1-abc",
    error_type="KeyError",
    title="KeyError: 'NZ'",
    error_class=ErrorClass.CODE,
    class_reason="raised by the app's own code",
    next_action="",
    sample="Traceback ...",
    frames=(Frame("/var/task/orders/shipping.py", 32, "rate_for", "return RATES[country]", True, "app"),),
    count=3,
    first_seen="2026-11-20T10:00:00.000+00:00",
    last_seen="2026-11-20T10:00:05.000+00:00",
    log_group="/aws/lambda/orders",
    log_stream="s1",
    delivery_id=b"delivery",
    heals=True,
)
MINE, OTHER = "arn:execution:1", "arn:execution:2"
NOWHERE = "orders-nowhere"


@pytest.fixture
def incidents(incidents_table: Table) -> Incidents:
    return Incidents(incidents_table)


@pytest.fixture
def incident_id(recorder: Recorder) -> str:
    return recorder.record(SIGHTING).incident.incident_id


def test_a_first_sighting_is_new_and_reads_back_whole(incidents: Incidents, recorder: Recorder) -> None:
    recorder.record(SIGHTING)
    incident = incidents.get("orders-v1-abc")
    assert incident.status is Status.NEW
    assert incident.frames == SIGHTING.frames
    assert (incident.occurrences, incident.generation) == (3, 1)
    assert incident.branch_name == "self-heal/orders-v1-abc"


def test_a_frame_without_line_or_function_reads_back(incidents: Incidents, recorder: Recorder) -> None:
    frame = Frame("<string>", None, None)
    recorder.record(replace(SIGHTING, frames=(frame,)))
    assert incidents.get("orders-v1-abc").frames == (frame,)


def test_an_error_of_another_class_never_starts_a_heal(incidents: Incidents, recorder: Recorder) -> None:
    recorded = recorder.record(replace(SIGHTING, heals=False, error_class=ErrorClass.TIMEOUT)).incident
    assert recorded.status is Status.SUPPRESSED
    assert incidents.claim(recorded.incident_id, MINE) is None


def test_one_execution_claims_and_may_claim_again(incidents: Incidents, incident_id: str) -> None:
    assert incidents.claim(incident_id, MINE)
    assert incidents.claim(incident_id, OTHER) is None
    claimed = incidents.claim(incident_id, MINE)
    assert claimed
    assert (claimed.status, claimed.execution_arn) == (Status.HEALING, MINE)


def test_nothing_is_created_by_claiming_or_advancing(incidents: Incidents) -> None:
    assert incidents.claim(NOWHERE, MINE) is None
    assert incidents.advance(NOWHERE, MINE, status="HEALING") is None
    assert incidents.fail(NOWHERE, MINE, "e", "r", "n") is None
    with pytest.raises(IncidentNotFound, match=NOWHERE):
        incidents.get(NOWHERE)


def test_only_the_owner_advances(incidents: Incidents, incident_id: str) -> None:
    incidents.claim(incident_id, MINE)
    assert incidents.advance(incident_id, OTHER, branch="b") is None
    advanced = incidents.advance(incident_id, MINE, branch="b")
    assert advanced
    assert advanced.branch == "b"


def test_a_failure_event_counts_once(incidents: Incidents, incident_id: str) -> None:
    incidents.claim(incident_id, MINE)
    failed = incidents.fail(incident_id, MINE, "FAILED#0", "forge down", "redrive")
    assert failed
    assert (failed.status, failed.reason) == (Status.FAILED, "forge down")
    assert incidents.fail(incident_id, MINE, "FAILED#0", "forge down", "redrive") is None
    assert incidents.fail(incident_id, MINE, "FAILED#1", "again", "redrive")
    assert incidents.fail(incident_id, OTHER, "FAILED#0", "not the owner", "redrive") is None


@pytest.mark.parametrize("status", [Status.PR_OPEN, Status.RESOLVED, Status.ABSTAINED, Status.REJECTED])
def test_a_late_failure_event_changes_nothing_that_is_over(
    incidents: Incidents, incident_id: str, status: Status
) -> None:
    incidents.claim(incident_id, MINE)
    incidents.advance(incident_id, MINE, status=str(status))
    assert incidents.fail(incident_id, MINE, "FAILED#0", "late", "redrive") is None
    assert incidents.get(incident_id).status is status


def test_a_failure_before_the_claim_is_recorded_with_its_execution(
    incidents: Incidents, incident_id: str
) -> None:
    failed = incidents.fail(incident_id, MINE, "FAILED#0", "no such app", "redrive")
    assert failed
    assert (failed.status, failed.execution_arn) == (Status.FAILED, MINE)
    assert incidents.claim(incident_id, MINE), "its redrive may still claim"


def test_a_resolved_incident_that_recurs_is_new_again(
    incidents: Incidents, recorder: Recorder, incident_id: str
) -> None:
    incidents.claim(incident_id, MINE)
    incidents.advance(incident_id, MINE, status="PR_OPEN", pull_request_url="https://forge/1")
    assert incidents.transition(incident_id, Status.PR_OPEN, status="RESOLVED")
    recurred = recorder.record(replace(SIGHTING, delivery_id=b"later")).incident
    assert recurred.status is Status.NEW
    assert recurred.regressed_from == "https://forge/1"
    assert recurred.branch_name.endswith("-2")
    assert incidents.claim(incident_id, OTHER)


def test_a_transition_needs_the_old_status(incidents: Incidents, incident_id: str) -> None:
    assert incidents.transition(incident_id, Status.PR_OPEN, status="RESOLVED") is None


def test_recent_lists_newest_first_of_one_app_or_all(incidents: Incidents, recorder: Recorder) -> None:
    for n, app in enumerate(["orders", "billing", "orders"]):
        recorder.record(replace(SIGHTING, app=app, fingerprint=f"f{n}", last_seen=f"2026-0{n + 1}-01"))
    assert [i.incident_id for i in incidents.recent()] == ["orders-f2", "billing-f1", "orders-f0"]
    assert [i.incident_id for i in incidents.recent("orders")] == ["orders-f2", "orders-f0"]
    assert [i.incident_id for i in incidents.recent(limit=1)] == ["orders-f2"]


def test_open_pull_requests_are_those_of_the_app(incidents: Incidents, recorder: Recorder) -> None:
    for app in ("orders", "billing"):
        recorder.record(replace(SIGHTING, app=app))
        incidents.claim(f"{app}-v1-abc", MINE)
        incidents.advance(f"{app}-v1-abc", MINE, status="PR_OPEN")
    recorder.record(replace(SIGHTING, fingerprint="other"))
    assert [i.incident_id for i in incidents.open_pull_requests("orders")] == ["orders-v1-abc"]
