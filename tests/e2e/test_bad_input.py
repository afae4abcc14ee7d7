"""Bad input ends where the design says, with a message that names the cause, and nothing is lost."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from tests.e2e.conftest import CRASH
from tests.fakes.forge import Outage
from tests.fakes.scripted_model import tool_call

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


def test_an_event_without_a_traceback_harms_nothing(world: World) -> None:
    app = world.app()
    world.log(app, "the word Traceback and nothing else")
    world.log(app)
    world.until(app, Status.AWAITING_APPROVAL)
    heals = [i for i in world.incidents(app) if i.execution_arn]
    assert len(heals) == 1


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"repository": "{forge}/shop/nothing.git"}, "RepositoryNotFound", "nothing"),
        ({"branch": "no-such-branch"}, "RepositoryNotFound", "no-such-branch"),
        (
            {"repository": "http://127.0.0.1:9/shop/x.git", "forge_api": "http://127.0.0.1:9/api/v3"},
            "ForgeUnavailable",
            "127.0.0.1:9",
        ),
        ({"token": "wrong"}, "ForgeAccessDenied", "credentials"),
    ],
)
def test_a_source_that_cannot_be_had_is_named_and_can_be_redriven(
    world: World, changes: dict[str, Any], error: str, says: str
) -> None:
    changes = {k: v.replace("{forge}", world.forge.url) for k, v in changes.items()}
    app = world.app(**changes)
    world.log(app)
    incident = world.until(app, Status.FAILED)
    assert error in incident.reason
    assert says in incident.reason
    assert "redrive" in incident.next_action
    assert world.history(incident)[-1].state == "FetchSource"


def test_an_error_that_no_rule_covers_is_abstained_from_with_what_to_do(world: World) -> None:
    app = world.app({"rates.py": "def rate(country):\n    raise ValueError(f'no rate for {country}')\n"})
    world.log(
        app,
        "[ERROR] ValueError: no rate for NZ\nTraceback (most recent call last):\n"
        '  File "/var/task/rates.py", line 2, in rate\n'
        "    raise ValueError(f'no rate for {country}')\n",
    )
    incident = world.until(app, Status.ABSTAINED)
    assert incident.reason
    assert incident.next_action
    assert world.executions(app)[0]["status"] == "SUCCEEDED"
    assert world.pulls(app) == []


def test_a_log_group_that_nobody_registered_is_ignored(world: World) -> None:
    logs = world.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/nobody")
    logs.put_subscription_filter(
        logGroupName="/aws/lambda/nobody",
        filterName="stray",
        filterPattern="",
        destinationArn=world.target.output("DetectErrorsArn"),
    )
    logs.create_log_stream(logGroupName="/aws/lambda/nobody", logStreamName="stream")
    before = {i.incident_id for i in world.target.incidents.recent()}
    logs.put_log_events(
        logGroupName="/aws/lambda/nobody",
        logStreamName="stream",
        logEvents=[{"timestamp": 1_900_000_000_000, "message": CRASH}],
    )
    app = world.app()
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    assert {i.incident_id for i in world.target.incidents.recent()} - before == {incident.incident_id}


def test_a_forge_that_stumbles_is_retried_without_anybody_noticing(world: World) -> None:
    app = world.app()
    world.log(app)
    waiting = world.until(app, Status.AWAITING_APPROVAL)
    world.forge.outage = Outage(502, times=3)
    world.decide(waiting, Verdict.APPROVE)
    healed = world.until(app, Status.PR_OPEN)
    assert len(world.pulls(app)) == 1
    assert sum(row.failed_tries for row in world.history(healed)) > 0


EDIT = {"path": "rates.py", "search": "    return RATES[country]", "replace": "    return RATES['DE']"}
ANSWER = {"root_cause": "x", "title": "Fix it", "explanation": "x", "edits": [EDIT], "confidence": 0.9}


def proposing(**changes: Any) -> dict[str, Any]:
    return tool_call("propose_patch", json.dumps(ANSWER | changes))


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ({"content": "Sure! Just wrap it in try/except."}, "prose"),
        ({"content": ""}, "nothing"),
        (tool_call("propose_patch", '{"root_cause": '), ""),
        (tool_call("propose_patch", "{}"), "root_cause"),
        (tool_call("delete_everything", "{}"), "delete_everything"),
        (proposing(edits=[EDIT | {"path": "../../etc/passwd"}]), "no such file in the repository"),
        (proposing(edits=[EDIT | {"path": "/etc/passwd"}]), "no such file in the repository"),
        (proposing(edits=[{"path": ".github/workflows/x.yml", "search": "", "replace": "x"}]), "scope"),
        (proposing(edits=[EDIT | {"search": "not there"}]), "applies"),
        (proposing(edits=[EDIT | {"replace": "    return (("}]), "parses"),
    ],
    ids=[
        "prose",
        "nothing",
        "broken-json",
        "empty-object",
        "unknown-tool",
        "parent-path",
        "absolute-path",
        "ci-file",
        "no-match",
        "syntax-error",
    ],
)
def test_a_model_that_answers_badly_is_abstained_from_with_the_cause(
    world: World, script: dict[str, Any], says: str
) -> None:
    app = world.app()
    world.model.scripts[app.name] = script
    world.log(app)
    incident = world.until(app, Status.ABSTAINED)
    assert says in incident.reason
    assert incident.next_action
    assert world.pulls(app) == []
    proposals = [row for row in world.history(incident) if row.state == "ProposePatch"]
    assert len(proposals) == app.max_attempts


def test_a_forged_or_used_link_gets_its_own_page_and_decides_nothing(world: World) -> None:
    app = world.app()
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    page = world.target.output("ApprovalUrl")
    for path in ("", "nowhere", f"a/{incident.approval_id}", f"a/{incident.approval_id}?t=forged"):
        request = urllib.request.Request(page + path)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert 400 <= refused.value.code < 500
        assert incident.title not in refused.value.read().decode()
    assert world.target.incidents.get(incident.incident_id).status is Status.AWAITING_APPROVAL
