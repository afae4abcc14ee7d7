"""What strangers and models wrote, on the deployed page in a real browser: nothing of it comes alive."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from functions.core import links
from functions.core.artifacts import Artifacts
from functions.core.heal import Heal
from functions.core.incident import Incident, Status
from functions.core.links import Link, Purpose
from infra.names import LINK_KEY_PARAMETER
from tests.injections import INJECTIONS

if TYPE_CHECKING:
    from tests.e2e.conftest import World
    from tests.e2e.page.conftest import Watched

pytestmark = pytest.mark.embedded


UNFOLD = "document.querySelectorAll('details').forEach(d => { d.removeAttribute('name'); d.open = true })"


def update(world: World, table: str, key: dict[str, str], values: dict[str, Any]) -> None:
    world.target.session.resource("dynamodb").Table(world.target.output(table)).update_item(
        Key=key,
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def poison(world: World, incident: Incident, evil: str) -> None:
    """Make every text of the incident that somebody else wrote say `evil`."""
    artifacts: Artifacts = world.target.artifacts
    heal = Heal(incident.incident_id, incident.app, incident.execution_arn.rsplit(":", 1)[-1], 1)
    run = {"command": evil, "tree": "before", "exit_code": 1, "seconds": 0.1, "output": evil}
    gate = {"gate": evil, "result": "pass", "detail": evil, "findings": [evil], "runs": [run]}
    texts = dict.fromkeys(("title", "root_cause", "explanation"), evil)
    artifacts.put_json(heal.attempt_key("proposal.json"), texts | {"edits": [], "confidence": 0.5})
    artifacts.put_json(heal.attempt_key("evidence.json"), {"gates": [gate, gate | {"result": "not_run"}]})
    artifacts.put_json(heal.attempt_key("prompt.json"), {"model": evil})
    patch = f"--- a/x.py\n+++ b/{evil}\n@@ -1,1 +1,1 @@ {evil}\n-{evil}\n+{evil}\n{evil}\n".encode()
    artifacts.put(heal.attempt_key("patch.diff"), patch)
    frame = dict.fromkeys(("file", "function", "code"), evil)
    names = ("error_type", "title", "sample", "log_group", "log_stream", "regressed_from")
    values: dict[str, Any] = dict.fromkeys(names, evil)
    values["frames"] = [frame | {"in_app": True}, frame | {"in_app": False}]
    update(world, "IncidentsTable", {"incident_id": incident.incident_id}, values)
    row = {"patch_sha256": hashlib.sha256(patch).hexdigest(), "repository": evil}
    update(world, "ApprovalsTable", {"approval_id": incident.approval_id}, row)


@pytest.fixture
def waiting(world: World, link_for: Callable[..., str]) -> tuple[str, Incident]:
    """A link, and the incident that it is about."""
    app = world.app()
    world.log(app)
    return link_for(app), world.until(app, Status.AWAITING_APPROVAL)


def storable(evil: str) -> str:
    return evil.encode(errors="replace").decode()


def test_nothing_that_strangers_wrote_comes_alive_where_people_decide(
    world: World, waiting: tuple[str, Incident], someone: Callable[..., Watched]
) -> None:
    link, incident = waiting
    # The policy alone would hide a missing escape, so the page is also tried without it.
    browsers = [someone(), someone(bypass_csp=True)]
    pages = [browser.context.new_page() for browser in browsers]
    for evil in map(storable, INJECTIONS):
        poison(world, incident, evil)
        for browser, page in zip(browsers, pages, strict=True):
            page.goto(link)
            page.evaluate(UNFOLD)
            assert page.title().startswith("Approve a fix for "), evil
            assert page.url == link, evil
            assert page.locator("form").count() == 3, evil
            assert page.get_by_role("button", name="Approve this patch").count() == 1, evil
            assert browser.harmed == [], evil


def test_nothing_that_strangers_wrote_comes_alive_where_the_decision_is_followed(
    world: World, waiting: tuple[str, Incident], someone: Callable[..., Watched]
) -> None:
    link, incident = waiting
    stored = world.client("ssm").get_parameter(Name=LINK_KEY_PARAMETER, WithDecryption=True)
    key = stored["Parameter"]["Value"].split()[0].encode()
    follow = Link(incident.approval_id, "team", int(time.time()) + 600)
    address = f"{link.partition('?')[0]}/progress?t={links.sign(follow, key, Purpose.FOLLOW)}"
    decided = {"status": "DELIVERED", "decision": "approve", "decided_at": datetime.now(UTC).isoformat()}
    browser = someone(bypass_csp=True)
    page = browser.context.new_page()
    for evil in map(storable, INJECTIONS):
        update(world, "ApprovalsTable", {"approval_id": incident.approval_id}, {**decided, "comment": evil})
        texts = dict.fromkeys(("reason", "next_action", "pull_request_url"), evil)
        for status in (Status.FAILED, Status.PR_OPEN):
            update(
                world,
                "IncidentsTable",
                {"incident_id": incident.incident_id},
                {**texts, "status": str(status)},
            )
            page.goto(address)
            assert page.title() == "You approved the patch", evil
            for found in page.eval_on_selector_all("a[href]", "found => found.map(a => a.href)"):
                assert found.startswith("http"), evil
            assert browser.harmed == [], evil
