"""RecordOutcome: what the state says becomes the incident's status, reason and next action, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.core.approval.approvals import Approval, Verdict
from functions.core.approval.decisions import Decision, Standing
from functions.core.incidents.incident import Status
from functions.core.notify.notifications import Notifications
from functions.core.notify.outbox import Outbox
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.errors import ApprovalMismatch
from functions.core.workflow.state import HealState
from functions.record_outcome.handler import handler
from functions.record_outcome.outcome import determine
from functions.record_outcome.step import run
from tests.fakes.channel import Channel
from tests.fakes.deployments import around

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Inbox, Scene

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1"
BASE: dict[str, Any] = {
    "incident_id": "orders-v1-abc",
    "app": "orders",
    "heal_id": "heal-1",
    "execution_arn": EXECUTION,
    "callback_decides": True,
}
PROPOSED = {"outcome": "proposed", "key": "k", "title": "Refuse unknown countries", "confidence": 0.86}
ACCEPTED = {"verdict": "accepted", "proven": True}
APPROVED = {"decision": "approve", "by": "ana"}
HEALED = {
    **BASE,
    "attempt": 1,
    "proposal": PROPOSED,
    "validation": ACCEPTED,
    "decision": APPROVED,
    "commit": {"branch": "self-heal/orders-v1-abc", "sha": "c" * 40},
    "pull_request": {"number": 7, "url": "https://github.com/shop/orders/pull/7"},
}
REJECTED: dict[str, Any] = {
    **BASE,
    "attempt": 1,
    "proposal": PROPOSED,
    "validation": {"verdict": "accepted", "proven": False},
    "decision": {"decision": "reject", "by": "ana", "reason": "hides_error", "comment": "We must know."},
}
ABSTAINED: dict[str, Any] = {
    **BASE,
    "attempt": 1,
    "proposal": {
        "outcome": "abstained",
        "key": "k",
        "reason": "The table is missing.",
        "next_action": "Create it.",
    },
}
NOT_VALID = {
    **BASE,
    "attempt": 3,
    "proposal": PROPOSED,
    "validation": {"verdict": "rejected", "reason": "reproduction: still raises KeyError"},
}
NOT_USABLE = {
    **BASE,
    "attempt": 1,
    "proposal": {"outcome": "invalid", "key": "k", "reason": "the answer was prose"},
    "validation": {"verdict": "rejected", "reason": "an older finding"},
}
FIXED = {
    **BASE,
    "attempt": 1,
    "proposal": PROPOSED,
    "validation": ACCEPTED | {"fixed_by": {"sha": "e" * 40, "date": "", "said": "eeee by Ana: Mend"}},
}
# A reviewer asked for changes, and no later attempt got through: the old decision must not count.
REVISED_THEN_NOTHING = {**NOT_VALID, "decision": {"decision": "revise", "by": "ana", "comment": "shorter"}}


@pytest.mark.parametrize(
    ("state", "ending", "status", "reason", "next_action"),
    [
        (HEALED, "healed", Status.PR_OPEN, "", "Review and merge"),
        (REJECTED, "rejected", Status.REJECTED, "Rejected by ana: It hides the error", "recurrence"),
        (FIXED, "already_fixed", Status.MERGED, "by eeee by Ana: Mend", "Deploy it"),
        (ABSTAINED, "abstained", Status.ABSTAINED, "The table is missing.", "Create it."),
        (
            NOT_VALID,
            "abstained",
            Status.ABSTAINED,
            "any of 3 attempts. The last finding: reproduction",
            "by hand",
        ),
        (
            NOT_USABLE,
            "abstained",
            Status.ABSTAINED,
            "one attempt. The last finding: the answer was",
            "by hand",
        ),
        (REVISED_THEN_NOTHING, "abstained", Status.ABSTAINED, "any of 3 attempts", "by hand"),
        (
            {**BASE, "proposal": {"outcome": "abstained"}},
            "abstained",
            Status.ABSTAINED,
            "without a reason",
            "hand",
        ),
        (BASE, "abstained", Status.ABSTAINED, "no finding was recorded", "by hand"),
    ],
)
def test_the_state_determines_the_outcome(
    state: dict[str, Any], ending: str, status: Status, reason: str, next_action: str
) -> None:
    outcome = determine(HealState.from_json(state))
    assert outcome.to_state("orders-v1-abc").outcome == ending
    assert outcome.attributes["status"] == status
    assert reason in outcome.reason
    assert next_action in outcome.next_action


Recorded = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def recorded(scene: Scene, inbox: Inbox, webhooks: Webhooks) -> Recorded:
    """What the step answers to a state."""
    topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
    notifications = Notifications(boto3.client("sns"), topic)
    outbox = Outbox(scene.incidents_table, notifications)
    deployment = around(scene, notifications=notifications, webhooks=webhooks, outbox=outbox)
    return lambda state: run(HealState.from_json(state), deployment).to_state()


@pytest.mark.parametrize(
    ("state", "subject"),
    [
        (HEALED, "[orders] Pull request open: KeyError: 'NZ'"),
        (REJECTED, "[orders] Patch rejected: KeyError: 'NZ'"),
        (ABSTAINED, "[orders] No fix proposed: KeyError: 'NZ'"),
    ],
)
def test_the_incident_and_the_team_learn_it(
    scene: Scene,
    recorded: Recorded,
    inbox: Inbox,
    state: dict[str, Any],
    subject: str,
) -> None:
    result = recorded(state)
    incident, (message,) = scene.incidents.get("orders-v1-abc"), inbox()
    assert incident.status == determine(HealState.from_json(state)).attributes["status"]
    assert incident.reason == result["reason"]
    assert message["Subject"] == subject
    assert incident.pull_request_url == result.get("pull_request_url", "")
    assert (incident.pull_request_url or incident.reason) in message["Message"]


@pytest.mark.parametrize(
    ("state", "waits"),
    [(ABSTAINED, True), (REJECTED, False), (HEALED, False), (ABSTAINED | {"app": "gone"}, False)],
    ids=["abstained", "a person's decision", "after a person's decision", "the app is gone"],
)
def test_what_nobody_waits_for_waits_for_the_end_of_quiet_hours(
    recorded: Recorded, inbox: Callable[[], list[dict[str, Any]]], state: dict[str, Any], waits: bool
) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    around_now = f"{now - hour:%H:%M}-{now + hour:%H:%M}"
    entry = {"log_groups": ["/g"], "repository": "https://github.com/shop/orders", "quiet_hours": around_now}
    if state["app"] == "orders":
        boto3.client("ssm").put_parameter(
            Name="/self-heal/apps/orders", Value=json.dumps(entry), Type="SecureString"
        )
    recorded(state)
    assert bool(inbox()) != waits


@pytest.mark.parametrize(
    ("state", "said", "link"),
    [
        (
            HEALED,
            ("pull request open", "Refuse unknown countries", "86%", "Proven: every", "Approved by", "ana"),
            "https://github.com/shop/orders/pull/7",
        ),
        (
            REJECTED,
            ("patch rejected", "by ana: It hides the error", "We must know.", "86%", "NOT fully proven"),
            "https://console.aws.amazon.com/states/",
        ),
        (
            ABSTAINED,
            ("no fix proposed", "The table is missing.", "Create it."),
            "https://console.aws.amazon.com/states/",
        ),
        (
            {**HEALED, "pull_request": {"number": 7, "url": "javascript:alert(1)"}},
            ("pull request open",),
            "https://console.aws.amazon.com/states/",
        ),
    ],
    ids=["healed", "rejected", "abstained", "strange address"],
)
def test_the_channels_learn_it_once(
    scene: Scene,
    recorded: Recorded,
    channel: Channel,
    state: dict[str, Any],
    said: tuple[str, ...],
    link: str,
) -> None:
    for _ in range(2):
        recorded(state)
    assert len(channel.posted) == 2, "Slack and Teams, each once"
    for text in channel.texts:
        for words in ("KeyError: 'NZ'", *said):
            assert words in text
        assert "Traceback" not in text
    slack = next(message for message in channel.posted if "blocks" in message)
    assert slack["blocks"][-1]["text"]["text"].startswith(f"<{link}")


def test_channels_that_fail_do_not_fail_the_heal(scene: Scene, recorded: Recorded, channel: Channel) -> None:
    channel.status = 500
    assert recorded(HEALED)["outcome"] == "healed"
    assert scene.incidents.get("orders-v1-abc").status is Status.PR_OPEN


def test_a_second_run_changes_and_tells_nothing(scene: Scene, recorded: Recorded, inbox: Inbox) -> None:
    first = recorded(HEALED)
    scene.incidents.transition("orders-v1-abc", Status.PR_OPEN, status=str(Status.RESOLVED))
    inbox()
    assert recorded(HEALED) == first
    assert scene.incidents.get("orders-v1-abc").status is Status.RESOLVED
    assert inbox() == []


@pytest.mark.parametrize(
    ("state", "counted"),
    [
        (HEALED, ["begun", "shown", "approved", "opened"]),
        (REJECTED, ["begun", "shown"]),
        (ABSTAINED, ["begun", "no patch could be proven"]),
        (
            {**BASE, "attempt": 1, "proposal": {"outcome": "abstained", "reason": "data: a broken row"}},
            ["begun", "data"],
        ),
        ({**HEALED, "follow_up": True}, []),
    ],
)
def test_how_far_it_came_is_counted_once(
    recorded: Recorded, capsys: pytest.CaptureFixture[str], state: dict[str, Any], counted: list[str]
) -> None:
    recorded(state)
    recorded(state)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    assert [one.get("stage") or one["reason"] for one in told] == counted


def test_an_execution_that_does_not_own_the_incident_records_nothing(
    scene: Scene, recorded: Recorded, inbox: Inbox
) -> None:
    recorded({**HEALED, "execution_arn": "arn:other"})
    assert scene.incidents.get("orders-v1-abc").status is Status.HEALING
    assert inbox() == []


def rejection(approval: Approval, **changes: str) -> dict[str, Any]:
    """The end of a heal whose app says who decides."""
    decision = REJECTED["decision"] | {"approval_id": approval.approval_id} | changes
    return REJECTED | {"callback_decides": False, "decision": decision}


def reject(scene: Scene, by: str = "ana") -> Approval:
    """A question of the scene's that was answered."""
    asked: Approval = scene.approval(approvers=("ana", "ben"))
    decision = Decision(Verdict.REJECT, by, reason="hides_error", comment="We must know.")
    answer = scene.decisions.decide(asked.approval_id, decision)
    assert answer.standing is Standing.ACCEPTED
    return asked


def test_a_rejection_on_record_counts(scene: Scene, recorded: Recorded) -> None:
    assert recorded(rejection(reject(scene)))["outcome"] == "rejected"


@pytest.mark.parametrize(
    "told",
    [{"approval_id": ""}, {"approval_id": "made up"}, {"by": "ben"}],
    ids=["no record", "another record", "another person"],
)
def test_a_rejection_that_no_record_gives_ends_nothing_where_the_app_says_who_decides(
    scene: Scene, recorded: Recorded, inbox: Inbox, told: dict[str, str]
) -> None:
    """Whoever can answer the task sent it; else the error would be silent from now on, in ana's name."""
    with pytest.raises(ApprovalMismatch, match="no record says so"):
        recorded(rejection(reject(scene), **told))
    assert scene.incidents.get("orders-v1-abc").status is Status.HEALING
    assert inbox() == []


def test_a_question_that_nobody_answered_is_no_rejection(scene: Scene, recorded: Recorded) -> None:
    with pytest.raises(ApprovalMismatch, match="no record says so"):
        recorded(rejection(scene.approval(approvers=("ana",))))


def test_an_abstention_keeps_the_pull_request_of_the_fix_before(scene: Scene, recorded: Recorded) -> None:
    scene.incidents.advance(
        "orders-v1-abc", EXECUTION, pull_request_url="https://github.com/shop/orders/pull/1"
    )
    recorded(ABSTAINED)
    assert scene.incidents.get("orders-v1-abc").pull_request_url.endswith("/pull/1")


def test_an_abstention_for_want_of_money_waits_for_it(scene: Scene, recorded: Recorded) -> None:
    poor = {"outcome": "abstained", "reason": "over the budget", "held_until": 1_800_000_000}
    recorded({**BASE, "attempt": 1, "proposal": poor})
    assert scene.incidents.get("orders-v1-abc").held_until == 1_800_000_000


def test_the_handler_returns_what_the_last_choice_reads(
    scene: Scene,
    inbox: Inbox,
    lambda_context: LambdaContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INCIDENTS_TABLE", "incidents")
    monkeypatch.setenv("WEBHOOKS_PATH", "/self-heal/webhooks")
    monkeypatch.setenv("TOPIC_ARN", boto3.client("sns").list_topics()["Topics"][0]["TopicArn"])
    assert handler(HEALED, lambda_context) == {
        "outcome": "healed",
        "incident_id": "orders-v1-abc",
        "reason": "",
        "pull_request_url": "https://github.com/shop/orders/pull/7",
    }
