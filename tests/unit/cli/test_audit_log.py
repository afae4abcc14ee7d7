"""What `selfheal show` prints of the decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from functions.core.approval.approvals import Approval, ApprovalStatus
from infra.cli.audit_log import audit_log

ASKED = Approval(
    approval_id="a",
    incident_id="orders-v1-abc",
    app="orders",
    heal_id="h",
    execution_arn="arn",
    attempt=2,
    redrive_count=1,
    patch_sha256="c" * 64,
    base_sha="d" * 40,
    patch_key="",
    evidence_key="",
    proposal_key="",
    expires_at=0,
    created_at="2026-11-20T10:00:01.123+00:00",
)
BY_LINK: dict[str, Any] = {
    "via": "link",
    "source_ip": "203.0.113.9",
    "decided_at": "2026-11-20T11:30:00.000+00:00",
}


def printed(*history: Approval) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(audit_log(history))
    return capture.get()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "waits for a decision"),
        ({"status": ApprovalStatus.SUPERSEDED}, "nobody decided before it was asked again"),
        ({"status": ApprovalStatus.EXPIRED}, "nobody decided in time"),
        (
            {"decision": "approve", "by": "ana", "comment": "Good.", **BY_LINK},
            "approved by ana, 2026-11-20 11:30:00 UTC, by link from 203.0.113.9\n    “Good.”",
        ),
        (
            {"decision": "reject", "by": "ana", "reason": "by_hand", "via": "iam"},
            "rejected (We will fix it by hand) by ana, at an unknown time, on the command line",
        ),
        ({"decision": "revise", "by": "ana", **BY_LINK}, "asked for changes by ana"),
        (
            {"decision": "approve", "by": "ana", "status": ApprovalStatus.EXPIRED, **BY_LINK},
            "too late: the workflow no longer waited",
        ),
        (
            {
                "first_by": "ben",
                "first_at": "2026-11-20T11:00:00",
                "first_via": "link",
                "first_comment": "Ok",
            },
            "approved first by ben, 2026-11-20 11:00:00 UTC, by link\n    “Ok”\n  waits for a decision",
        ),
        (
            {
                "decision": "approve",
                "by": "ana",
                "evidence_key": "e@sha256:1",
                "carried_to": "e@sha256:2",
                **BY_LINK,
            },
            "on e@sha256:1\n  holds for a later proof of the same bytes, with what joined since\n"
            "    e@sha256:2",
        ),
    ],
)
def test_each_approval_says_who_when_and_from_where(changes: dict[str, Any], says: str) -> None:
    text = "\n".join(line.rstrip() for line in printed(replace(ASKED, **changes)).splitlines())
    assert text.startswith("asked 2026-11-20 10:00:01 UTC, attempt 2, redrive 1")
    assert says in text
    assert f"sha256 {'c' * 64} on base {'d' * 40}" in text


def test_what_people_wrote_cannot_command_the_terminal() -> None:
    text = printed(replace(ASKED, decision="revise", by="x\x1b[2J", comment="[red]\x1b]0;t\x07", **BY_LINK))
    assert "\x1b" not in text
    assert "[red]" in text
