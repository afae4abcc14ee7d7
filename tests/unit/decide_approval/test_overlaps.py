"""A proposal that touches what another open fix touches says so, before anybody approves it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Approval

if TYPE_CHECKING:
    from tests.unit.conftest import Scene
    from tests.unit.decide_approval.conftest import Browser

HEADING = "Another open fix touches the same code"
FILE = "--- a/orders/shipping.py\n+++ b/orders/shipping.py\n"
SAME_LINE = f"{FILE}@@ -29,2 +29,2 @@\n context\n-    return RATES[country]\n+    return 0\n"
ELSEWHERE = f"{FILE}@@ -2,1 +2,1 @@\n-a\n+b\n"
OTHER_FILE = SAME_LINE.replace("shipping", "billing")
URL = "https://github.com/shop/orders/pull/7"


def _other_fix(scene: Scene, ours: Approval, patch: str, status: str, **changes: Any) -> None:
    incident_id = "orders-v1-other"
    key = scene.artifacts.put(f"{incident_id}/heal-2/1/patch.diff", patch.encode())
    fields: dict[str, Any] = {"approval_id": "another-approval", "incident_id": incident_id, "patch_key": key}
    scene.approvals.open(replace(ours, **fields, heal_id="heal-2", token=b"", **changes))
    scene.incidents_table.put_item(
        Item={
            "incident_id": incident_id,
            "fingerprint": "v1-other",
            "app": "orders",
            "status": status,
            "error_type": "ZeroDivisionError",
            "title": "ZeroDivisionError: division by zero",
            "approval_id": "another-approval",
            "pull_request_url": URL,
            "last_seen": "2026-11-20T10:41:00.000+00:00",
        }
    )


@pytest.mark.parametrize(
    ("patch", "status", "changes", "place"),
    [
        pytest.param(SAME_LINE, "PR_OPEN", {}, "orders/shipping.py:30", id="a pull request is open"),
        pytest.param(SAME_LINE, "AWAITING_APPROVAL", {}, "orders/shipping.py:30", id="it is asked about"),
        pytest.param(SAME_LINE, "PR_OPEN", {"base_sha": "c" * 40}, "orders/shipping.py", id="another base"),
        pytest.param(ELSEWHERE, "PR_OPEN", {}, "", id="other lines"),
        pytest.param(OTHER_FILE, "PR_OPEN", {}, "", id="another file"),
        pytest.param(SAME_LINE, "RESOLVED", {}, "", id="no longer open"),
    ],
)
def test_the_page_names_the_other_fix_and_the_lines(
    scene: Scene, browser: Browser, patch: str, status: str, changes: dict[str, Any], place: str
) -> None:
    ours = scene.approval()
    _other_fix(scene, ours, patch, status, **changes)
    answer = browser.get(browser.link(ours))
    assert answer.status == 200
    assert (HEADING in answer.text) == bool(place)
    if place:
        part = answer.text.partition(HEADING)[2]
        for word in ("ZeroDivisionError", f": {place} ", "its pull request", "orders-v1-other"):
            assert word in part


def test_a_fix_whose_patch_is_gone_or_changed_does_not_stand_in_the_way(
    scene: Scene, browser: Browser
) -> None:
    ours = scene.approval()
    _other_fix(scene, ours, SAME_LINE, "PR_OPEN")
    scene.artifacts.put("orders-v1-other/heal-2/1/patch.diff", b"forged")
    answer = browser.get(browser.link(ours))
    assert (answer.status, HEADING in answer.text) == (200, False)
