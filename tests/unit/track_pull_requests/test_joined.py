"""Incidents that joined another's heal end as that does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.core.incidents.incident import Incident, Status
from functions.track_pull_requests.joined import settled_with

OTHER = Incident("orders-a", "a", "orders", Status.PR_OPEN, "KeyError", "KeyError", reason="why")
JOINED = replace(
    OTHER,
    incident_id="orders-b",
    status=Status.JOINED,
    joined_to="orders-a",
    last_seen="2026-11-20T12:00:00+00:00",
)


@pytest.mark.parametrize(
    "status", [Status.NEW, Status.HEALING, Status.AWAITING_APPROVAL, Status.PR_OPEN, Status.MERGED]
)
def test_nothing_happens_while_the_heal_goes_on(status: Status) -> None:
    assert settled_with(JOINED, replace(OTHER, status=status)) is None


def test_they_resolve_together() -> None:
    resolved = replace(OTHER, status=Status.RESOLVED, fix_runs_since="2026-11-20T13:00:00+00:00")
    after = settled_with(JOINED, resolved)
    assert after
    assert (after["status"], after["reason"]) == ("RESOLVED", "with orders-a: why")


def test_one_that_goes_on_although_the_fix_runs_was_another_cause() -> None:
    resolved = replace(OTHER, status=Status.RESOLVED, fix_runs_since="2026-11-20T10:00:00+00:00")
    after = settled_with(JOINED, resolved)
    assert after
    assert (after["status"], after["generation"]) == ("NEW", 2)


@pytest.mark.parametrize(
    ("other", "status"),
    [
        (replace(OTHER, status=Status.REJECTED), "REJECTED"),
        (replace(OTHER, status=Status.ABSTAINED), "SUPPRESSED"),
        (replace(OTHER, status=Status.FAILED, redrivable_until="2026-11-20T12:00:00+00:00"), "SUPPRESSED"),
        (None, "SUPPRESSED"),
    ],
)
def test_what_ended_otherwise_lets_them_go(other: Incident | None, status: str) -> None:
    after = settled_with(JOINED, other)
    assert after
    assert (after["status"], after["joined_to"]) == (status, "")


def test_a_heal_that_can_be_redriven_keeps_those_that_joined_it() -> None:
    failed = replace(OTHER, status=Status.FAILED, redrivable_until="9999-01-01T00:00:00+00:00")
    assert settled_with(JOINED, failed) is None


def test_whoever_joined_one_that_joined_follows_it() -> None:
    assert settled_with(JOINED, replace(JOINED, joined_to="orders-c")) == {"joined_to": "orders-c"}
