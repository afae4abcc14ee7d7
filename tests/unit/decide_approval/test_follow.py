"""The page after a decision: what is done, what is under way, when it stops following."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.core.approval.approvals import Approval, ApprovalStatus
from functions.core.incidents.incident import Incident, Status
from functions.decide_approval.follow import progress

DECIDED_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SOON = DECIDED_AT + timedelta(seconds=5)
APPROVAL = Approval(
    approval_id="mine",
    incident_id="orders-v1-abc",
    app="orders",
    heal_id="heal-1",
    execution_arn="arn",
    attempt=1,
    redrive_count=0,
    patch_sha256="p",
    base_sha="b",
    patch_key="",
    evidence_key="",
    proposal_key="",
    expires_at=0,
    status=ApprovalStatus.DELIVERED,
    decision="approve",
    by="ana",
    decided_at=DECIDED_AT.isoformat(),
)
INCIDENT = Incident(
    "orders-v1-abc", "v1-abc", "orders", Status.HEALING, "KeyError", "KeyError: 'NZ'", approval_id="mine"
)
URL = "https://github.com/shop/orders/pull/7"


@pytest.mark.parametrize(
    ("decision", "incident", "states", "follows"),
    [
        ("approve", {}, ["done", "now", "later", "later"], True),
        ("approve", {"approval_id": "newer"}, ["done", "now", "later", "later"], True),
        ("approve", {"approval_id": "newer", "status": Status.AWAITING_APPROVAL}, ["done"] * 2, False),
        ("approve", {"branch": "self-heal/x"}, ["done", "done", "now", "later"], True),
        ("approve", {"status": Status.PR_OPEN, "pull_request_url": URL}, ["done"] * 3 + ["now"], True),
        ("approve", {"status": Status.MERGED, "pull_request_url": URL}, ["done"] * 4, False),
        ("approve", {"status": Status.RESOLVED, "pull_request_url": URL}, ["done"] * 4, False),
        ("approve", {"status": Status.REJECTED, "pull_request_url": URL}, ["done"] * 3 + ["failed"], False),
        ("approve", {"status": Status.FAILED, "reason": "r"}, ["done", "failed", "later", "later"], False),
        ("revise", {}, ["done", "now", "later"], True),
        ("revise", {"approval_id": "newer"}, ["done", "done", "done"], False),
        ("revise", {"status": Status.ABSTAINED}, ["done", "now", "failed"], False),
        ("reject", {}, ["done", "now"], True),
        ("reject", {"status": Status.REJECTED}, ["done", "done"], False),
    ],
)
def test_steps_follow_the_incident(
    decision: str, incident: dict[str, Any], states: list[str], follows: bool
) -> None:
    found = progress(replace(APPROVAL, decision=decision), replace(INCIDENT, **incident), SOON)
    assert [step.state for step in found.steps] == states
    assert bool(found.refresh_seconds) is follows


@pytest.mark.parametrize(
    ("reader", "title", "detail"),
    [
        ("Ana@shop.example", "You approved the patch", ""),
        ("ben@shop.example", "The patch was approved", "by ana@shop.example"),
    ],
)
def test_whoever_reads_it_is_told_whose_decision_it_was(reader: str, title: str, detail: str) -> None:
    found = progress(replace(APPROVAL, by="ana@shop.example"), INCIDENT, SOON, reader=reader)
    assert (found.title, found.detail) == (title, detail)


def test_where_nothing_better_was_proven_it_says_so_and_leads_to_the_question() -> None:
    waits = replace(INCIDENT, approval_id="newer", status=Status.AWAITING_APPROVAL)
    asked = replace(APPROVAL, approval_id="newer", standing="the model found no other repair")
    found = progress(replace(APPROVAL, decision="revise"), waits, SOON, newer=asked)
    assert [(step.state, step.asks) for step in found.steps] == [
        ("done", False), ("failed", False), ("done", True)
    ]  # fmt: skip
    assert "the model found no other repair" in found.steps[1].text


@pytest.mark.parametrize(
    ("now", "looked_by"),
    [("12:00", "12:20"), ("12:14", "12:20"), ("12:15", "12:35"), ("12:59", "13:05"), ("23:50", "00:05")],
)
def test_while_it_waits_for_a_merge_it_says_until_when_the_forge_is_asked_again(
    now: str, looked_by: str
) -> None:
    hour, minute = map(int, now.split(":"))
    waits = replace(INCIDENT, status=Status.PR_OPEN, pull_request_url=URL)

    found = progress(APPROVAL, waits, DECIDED_AT.replace(hour=hour, minute=minute))

    assert f"{datetime.fromisoformat(found.steps[-1].looked_by):%H:%M}" == looked_by


def test_an_undelivered_decision_is_under_way() -> None:
    found = progress(replace(APPROVAL, status=ApprovalStatus.DECIDED), INCIDENT, SOON)
    assert found.steps[0].state == "now"


def test_a_decision_that_came_too_late_says_so_and_stops() -> None:
    found = progress(replace(APPROVAL, status=ApprovalStatus.EXPIRED), INCIDENT, SOON)
    assert "too late" in found.problem
    assert found.refresh_seconds == 0


def test_a_failure_says_how_to_go_on() -> None:
    failed = replace(
        INCIDENT, status=Status.FAILED, reason="the forge is down", next_action="selfheal redrive x"
    )
    found = progress(APPROVAL, failed, SOON)
    assert (found.problem, found.next_action) == ("the forge is down", "selfheal redrive x")


@pytest.mark.parametrize(("seconds", "refresh"), [(0, 2), (59, 2), (61, 10), (1_799, 10), (1_801, 0)])
def test_a_forgotten_tab_stops_asking(seconds: int, refresh: int) -> None:
    assert progress(APPROVAL, INCIDENT, DECIDED_AT + timedelta(seconds=seconds)).refresh_seconds == refresh
