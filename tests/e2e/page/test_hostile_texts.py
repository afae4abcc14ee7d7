"""What strangers and models wrote, on the deployed page in a real browser: nothing of it comes alive."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval import links
from functions.core.approval.links import Link, Purpose
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.heal import Heal
from tests.injections import INJECTIONS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.e2e.conftest import World
    from tests.e2e.page.conftest import Watched

pytestmark = pytest.mark.embedded


UNFOLD = "document.querySelectorAll('details').forEach(d => { d.removeAttribute('name'); d.open = true })"


class Rows:
    """Writes to the tables behind everybody's back."""

    def __init__(self, world: World) -> None:
        target = world.target
        # Clients take a tenth of a second each to make, and there are hundreds of writes.
        tables = target.session.resource("dynamodb")
        self._incidents = tables.Table(target.output("IncidentsTable"))
        self._approvals = tables.Table(target.output("ApprovalsTable"))
        self.artifacts: Artifacts = target.artifacts

    def incident(self, incident_id: str, values: dict[str, Any]) -> None:
        self._set(self._incidents, {"incident_id": incident_id}, values)

    def approval(self, approval_id: str, values: dict[str, Any]) -> None:
        self._set(self._approvals, {"approval_id": approval_id}, values)

    @staticmethod
    def _set(table: Table, key: dict[str, str], values: dict[str, Any]) -> None:
        table.update_item(
            Key=key,
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )


@pytest.fixture
def rows(world: World) -> Rows:
    return Rows(world)


def poison(rows: Rows, incident: Incident, evil: str) -> None:
    """Make every text of the incident that somebody else wrote say `evil`."""
    artifacts = rows.artifacts
    heal = Heal(incident.incident_id, incident.app, incident.execution_arn.rsplit(":", 1)[-1], 1)
    run = {"command": evil, "tree": "before", "exit_code": 1, "seconds": 0.1, "output": evil}
    gate = {"gate": evil, "result": "pass", "detail": evil, "findings": [evil], "runs": [run]}
    texts = dict.fromkeys(("title", "root_cause", "explanation"), evil)
    proposal = texts | {"edits": [], "confidence": 0.5}
    # A question names what it is about by hash: whoever wrote it wrote the question, too.
    keys = {
        "proposal_key": artifacts.put_json(heal.attempt_key("proposal.json"), proposal),
        "evidence_key": artifacts.put_json(
            heal.attempt_key("evidence.json"), {"gates": [gate, gate | {"result": "not_run"}]}
        ),
    }
    artifacts.put_json(heal.attempt_key("prompt.json"), {"model": evil})
    patch = f"--- a/x.py\n+++ b/{evil}\n@@ -1,1 +1,1 @@ {evil}\n-{evil}\n+{evil}\n{evil}\n".encode()
    keys["patch_key"] = artifacts.put(heal.attempt_key("patch.diff"), patch)
    frame = dict.fromkeys(("file", "function", "code"), evil)
    names = ("error_type", "title", "sample", "log_group", "log_stream", "regressed_from")
    values: dict[str, Any] = dict.fromkeys(names, evil)
    values["frames"] = [frame | {"in_app": True}, frame | {"in_app": False}]
    rows.incident(incident.incident_id, values)
    row = {"patch_sha256": hashlib.sha256(patch).hexdigest(), "repository": evil}
    rows.approval(incident.approval_id, row | keys)


@pytest.fixture
def waiting(world: World, link_for: Callable[..., str]) -> tuple[str, Incident]:
    """A link, and the incident that it is about."""
    app = world.app()
    world.log(app)
    return link_for(app), world.until(app, Status.AWAITING_APPROVAL)


def storable(evil: str) -> str:
    return evil.encode(errors="replace").decode()


def test_nothing_that_strangers_wrote_comes_alive_where_people_decide(
    rows: Rows, waiting: tuple[str, Incident], someone: Callable[..., Watched]
) -> None:
    link, incident = waiting
    # The policy alone would hide a missing escape, so the page is also tried without it.
    browsers = [someone(), someone(bypass_csp=True)]
    pages = [browser.context.new_page() for browser in browsers]
    for evil in map(storable, INJECTIONS):
        poison(rows, incident, evil)
        for browser, page in zip(browsers, pages, strict=True):
            page.goto(link)
            page.evaluate(UNFOLD)
            assert page.title().startswith("Approve a fix for "), evil
            assert page.url == link, evil
            assert page.locator("form").count() == 3, evil
            assert page.get_by_role("button", name="Approve this patch").count() == 1, evil
            assert browser.harmed == [], evil


def test_nothing_that_strangers_wrote_comes_alive_where_the_decision_is_followed(
    rows: Rows, waiting: tuple[str, Incident], someone: Callable[..., Watched], link_key: bytes
) -> None:
    link, incident = waiting
    follow = Link(incident.approval_id, "team", int(time.time()) + 600)
    address = f"{link.partition('?')[0]}/progress?t={links.sign(follow, link_key, Purpose.FOLLOW)}"
    decided = {"status": "DELIVERED", "decision": "approve", "decided_at": datetime.now(UTC).isoformat()}
    browser = someone(bypass_csp=True)
    page = browser.context.new_page()
    for evil in map(storable, INJECTIONS):
        rows.approval(incident.approval_id, {**decided, "comment": evil})
        texts = dict.fromkeys(("reason", "next_action", "pull_request_url"), evil)
        for status in (Status.FAILED, Status.PR_OPEN):
            rows.incident(incident.incident_id, {**texts, "status": str(status)})
            page.goto(address)
            assert page.title() == "The patch was approved", evil
            for found in page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)"):
                assert found.startswith("http"), evil
            assert browser.harmed == [], evil


def test_nothing_that_strangers_wrote_comes_alive_in_the_list(
    world: World, rows: Rows, someone: Callable[..., Watched], link_key: bytes
) -> None:
    app = world.app()
    for number, evil in enumerate(map(storable, INJECTIONS)):
        texts = dict.fromkeys(("error_type", "title", "reason", "pull_request_url", "last_seen"), evil)
        # What is under way is never cut; of what is over, the list shows the latest twenty.
        for status in (Status.HEALING, Status.PR_OPEN if number % 2 else Status.ABSTAINED):
            values = {**texts, "app": app.name, "fingerprint": "f", "status": str(status)}
            rows.incident(f"{app.name}-{status}-{number}", values)
    recipient = storable(INJECTIONS[0])
    link = Link(app.name, recipient, int(time.time()) + 600)
    token = links.sign(link, link_key, Purpose.LIST)
    address = f"{world.target.output('ApprovalUrl')}list/{app.name}?t={token}"
    for browser in (someone(), someone(bypass_csp=True)):
        page = browser.open(address)
        assert page.title() == "0 decisions wait for you"
        assert page.url == address
        assert page.locator(".entry").count() >= len(INJECTIONS) + len(INJECTIONS) // 2
        assert page.locator("form, iframe, img").count() == 0
        (script,) = page.eval_on_selector_all("script", "found => found.map(s => s.src + s.textContent)")
        assert script.startswith(world.target.output("ApprovalUrl") + "static/page.js?v="), (
            "the only one is ours"
        )
        for found in page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)"):
            assert found.startswith("http")
        page.mouse.wheel(0, 20_000)
        assert browser.harmed == []
