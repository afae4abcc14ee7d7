"""AwaitApproval: one question per attempt and run, however often the step runs; the token stays hidden."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.await_approval.step import ask
from functions.core.approval import links
from functions.core.approval.approvals import ApprovalStatus, Verdict
from functions.core.approval.decisions import Decision
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Status
from functions.core.notify.notifications import Notifications
from functions.core.notify.webhooks import Webhooks
from functions.core.workflow.artifacts import reference
from functions.core.workflow.errors import AppNotRegistered, ArtifactChanged, IncidentNotFound, PermanentError
from functions.core.workflow.state import HealState
from tests.fakes.deployments import around

if TYPE_CHECKING:
    from tests.unit.conftest import Inbox, Scene

EXPIRES = 2_000_000_000
TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAAc-the-task-token"
REGISTERED = {
    "log_groups": ["/aws/lambda/orders"],
    "repository": "https://github.com/shop/orders.git",
    "approvers": ["ana@example.com", "ben@example.com"],
}


def state(scene: Scene, **changes: Any) -> dict[str, Any]:
    attempt = changes.pop("attempt", 1)
    digest = scene.write_attempt(attempt, **changes.pop("of_attempt", {}))

    def written(name: str) -> str:
        key = f"orders-v1-abc/heal-1/{attempt}/{name}"
        return reference(key, scene.artifacts.get(key))

    return {
        "incident_id": "orders-v1-abc",
        "app": "orders",
        "heal_id": "heal-1",
        "attempt": attempt,
        "source": {"key": reference("s", b""), "base_sha": "b" * 40},
        "proposal": {
            "outcome": "proposed",
            "key": written("proposal.json"),
            "title": "Refuse unknown countries with a clear error",
            "reason": "rate_for looks up any country.",
            "confidence": 0.86,
        },
        "validation": {
            "verdict": "accepted",
            "patch_key": written("patch.diff"),
            "patch_sha256": digest,
            "evidence_key": written("evidence.json"),
        },
        "task_token": TOKEN,
        "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:self-heal:heal-1",
        "redrive_count": 0,
        **changes,
    }


@pytest.fixture
def desk(scene: Scene, inbox: Inbox) -> Deployment:
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(REGISTERED), Type="SecureString")
    topic = boto3.client("sns").list_topics()["Topics"][0]["TopicArn"]
    return around(scene, notifications=Notifications(boto3.client("sns"), topic, topic))


def test_the_question_is_put_and_the_incident_awaits_it(scene: Scene, desk: Deployment) -> None:
    approval = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    incident = scene.incidents.get("orders-v1-abc")
    assert approval.status is ApprovalStatus.PENDING
    assert incident.status is Status.AWAITING_APPROVAL
    assert incident.approval_id == approval.approval_id
    assert incident.patch_sha256 == approval.patch_sha256
    assert (incident.base_sha, incident.attempts) == ("b" * 40, 1)
    assert scene.tokens.open(approval.token, approval.approval_id) == TOKEN


def test_each_approver_gets_a_readable_message_with_a_link_of_their_own(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    approval = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    messages = {message["MessageAttributes"]["recipient"]["Value"]: message for message in inbox()}
    assert set(messages) == {"ana@example.com", "ben@example.com"}
    text = messages["ana@example.com"]["Message"]
    assert messages["ana@example.com"]["Subject"] == "[orders] Approve a fix? KeyError: 'NZ'"
    for part in (
        "recorded as ana@example.com",
        "Seen 42 times since 2026-11-20 10:00 UTC",
        "Refuse unknown countries",
        "86%",
        "NOT fully proven",
        "has no tests",
    ):
        assert part in " ".join(text.split())
    link = next(line for line in text.splitlines() if line.startswith("https://page.example/a/"))
    token = link.partition("?t=")[2]
    assert links.verify(token, approval.approval_id, scene.keys, time.time()).recipient == "ana@example.com"
    assert max(len(line) for line in text.splitlines() if line != link) <= 76


def test_an_address_is_not_broken_at_its_hyphen(scene: Scene, desk: Deployment, inbox: Inbox) -> None:
    entry = json.dumps(REGISTERED | {"approvers": ["on-call@shop.example"]})
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/orders", Value=entry, Overwrite=True)
    ask(HealState.from_json(state(scene)), desk, EXPIRES)
    assert all("on-call@shop.example" in message["Message"] for message in inbox())


def test_within_quiet_hours_it_is_asked_and_nobody_is_told_yet(
    scene: Scene, desk: Deployment, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000  # 2027-01-15 08:00 UTC
    monkeypatch.setattr(time, "time", lambda: now)
    entry = json.dumps(REGISTERED | {"quiet_hours": "07:00-09:30"})
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/orders", Value=entry, Overwrite=True)
    for _ in range(2):
        approval = ask(HealState.from_json(state(scene)), desk, EXPIRES)
        assert (approval.status, approval.tell_at) == (ApprovalStatus.PENDING, now + 90 * 60)
    assert scene.incidents.get("orders-v1-abc").status is Status.AWAITING_APPROVAL
    assert inbox() == []


def test_a_second_opinion_is_told_where_there_is_one(scene: Scene, desk: Deployment, inbox: Inbox) -> None:
    review = {"opinion": "objects", "summary": "It objects: NZ is refused.", "sent_back": False}
    ask(HealState.from_json(state(scene, review=review)), desk, EXPIRES)
    assert all("Second opinion: It objects: NZ is refused." in json.dumps(told) for told in inbox())


def test_where_people_sign_in_the_message_promises_nothing_of_the_link(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    ask(HealState.from_json(state(scene)), around(scene, "email", notifications=desk.notifications), EXPIRES)
    text = " ".join(inbox()[0]["Message"].split())
    assert "You sign in first, and what you decide is recorded as yours." in text
    assert "yours alone" not in text


def test_the_message_says_when_everything_is_proven(scene: Scene, desk: Deployment, inbox: Inbox) -> None:
    gates = [{"gate": "applies", "result": "pass", "detail": "It applies."}]
    ask(HealState.from_json(state(scene, of_attempt={"gates": gates})), desk, EXPIRES)
    assert "Proven: 1 check ran and passed." in inbox()[0]["Message"]


def test_an_app_without_approvers_asks_whoever_reads_the_topic(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    boto3.client("ssm").put_parameter(
        Name="/self-heal/apps/orders", Value=json.dumps(REGISTERED | {"approvers": []}), Overwrite=True
    )
    ask(HealState.from_json(state(scene)), desk, EXPIRES)
    (message,) = inbox()
    assert message["MessageAttributes"]["recipient"]["Value"] == "team"
    assert "for whoever reads this" in message["Message"]


def test_the_task_token_is_nowhere_but_in_the_sealed_row(
    scene: Scene,
    desk: Deployment,
    inbox: Inbox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    question = HealState.from_json(state(scene))
    approval = ask(question, desk, EXPIRES)
    seen = [repr(question), json.dumps(inbox()), json.dumps(approval.audit()), *capsys.readouterr()]
    assert not [text for text in seen if TOKEN in text]
    assert TOKEN.encode() not in approval.token


def test_a_retried_step_asks_the_same_question_with_its_new_token(scene: Scene, desk: Deployment) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    second = ask(HealState.from_json(state(scene, task_token="another token")), desk, EXPIRES)
    assert second.approval_id == first.approval_id
    assert scene.tokens.open(second.token, second.approval_id) == "another token"
    assert scene.kept(first.approval_id).status is ApprovalStatus.PENDING


def test_a_repeated_step_tells_nobody_again_unless_the_links_they_have_are_over(
    scene: Scene, desk: Deployment, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, began = 86_400, int(time.time())
    for days, letters in ((0, 2), (3, 0), (8, 2), (9, 0)):
        now = began + days * day
        monkeypatch.setattr(time, "time", lambda now=now: now)
        # When people are told is noted by the clock of the table.
        monkeypatch.setattr("functions.core.approval.approvals.utc_now", lambda now=now: iso(now))
        ask(HealState.from_json(state(scene)), desk, now + 7 * day)
        assert (days, len(inbox())) == (days, letters)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_a_retried_step_delivers_what_was_answered_in_between(scene: Scene, desk: Deployment) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    scene.decisions.decide(first.approval_id, Decision(Verdict.APPROVE, "ana@example.com"))
    assert scene.workflow.received == []
    scene.workflow.wait("another token")
    again = ask(HealState.from_json(state(scene, task_token="another token")), desk, EXPIRES)
    assert again.status is ApprovalStatus.DELIVERED
    assert [received["by"] for received in scene.workflow.received] == ["ana@example.com"]


def test_a_retried_step_finds_in_the_history_what_was_delivered_and_not_noted(
    scene: Scene, desk: Deployment
) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    scene.workflow.wait(TOKEN)
    scene.workflow.die_after_next = True
    with pytest.raises(ClientError, match="InternalError"):
        scene.decisions.decide(first.approval_id, Decision(Verdict.APPROVE, "ana@example.com"))
    again = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    assert again.status is ApprovalStatus.DELIVERED
    assert len(scene.workflow.received) == 1


@pytest.mark.parametrize("change", [{"attempt": 2}, {"redrive_count": 1}])
def test_a_new_proposal_or_a_redrive_supersedes_the_old_question(
    scene: Scene, desk: Deployment, change: dict[str, int]
) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    second = ask(HealState.from_json(state(scene, **change)), desk, EXPIRES)
    assert second.approval_id != first.approval_id
    assert second.previous_id == first.approval_id
    assert scene.kept(first.approval_id).status is ApprovalStatus.SUPERSEDED
    assert scene.kept(second.approval_id).status is ApprovalStatus.PENDING
    assert scene.incidents.get("orders-v1-abc").approval_id == second.approval_id


def test_a_redriven_question_says_that_the_old_link_is_dead(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    ask(HealState.from_json(state(scene, redrive_count=1)), desk, EXPIRES)
    assert "the earlier link no longer works" in inbox()[0]["Message"]


def test_an_execution_that_does_not_own_the_incident_asks_nothing_and_closes_nothing(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    inbox()
    with pytest.raises(PermanentError, match="belongs to another execution"):
        ask(HealState.from_json(state(scene, execution_arn="arn:other")), desk, EXPIRES)
    assert scene.kept(first.approval_id).status is ApprovalStatus.PENDING
    assert inbox() == []


@pytest.mark.parametrize(
    ("change", "error"),
    [({"incident_id": "orders-gone"}, IncidentNotFound), ({"app": "unknown"}, AppNotRegistered)],
)
def test_what_is_missing_fails_the_task(
    scene: Scene, desk: Deployment, change: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(HealState.from_json(state(scene, **change)), desk, EXPIRES)


def test_a_notification_that_fails_does_not_fail_the_heal(scene: Scene, desk: Deployment) -> None:
    lost = Notifications(boto3.client("sns"), gone := "arn:aws:sns:us-east-1:123456789012:gone", gone)
    approval = ask(HealState.from_json(state(scene)), around(scene, notifications=lost), EXPIRES)
    assert approval.status is ApprovalStatus.PENDING


def test_approvers_are_kept_with_the_question_and_authors_of_changes_are_known(
    scene: Scene, desk: Deployment
) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    assert first.approvers == ("ana@example.com", "ben@example.com")
    scene.decisions.decide(first.approval_id, Decision(Verdict.REVISE, "Ana@example.com", "Shorter."))
    scene.workflow.wait(TOKEN)
    second = ask(HealState.from_json(state(scene, attempt=2)), desk, EXPIRES)
    assert (first.change_authors, second.change_authors) == ((), ("ana@example.com",))


def test_where_only_iam_identities_may_decide_no_link_is_sent(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    entry = REGISTERED | {"approvers": ["arn:aws:iam::111122223333:role/Release"]}
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(entry), Overwrite=True)
    ask(HealState.from_json(state(scene)), desk, EXPIRES)
    (message,) = inbox()
    assert "selfheal approve orders-v1-abc" in message["Message"]
    assert "https://page.example/" not in message["Message"]


@pytest.mark.parametrize("approvers", [[], ["ana@example.com"]], ids=["anybody", "named"])
def test_a_channel_gets_a_link_that_decides_only_where_anybody_may(
    scene: Scene, desk: Deployment, monkeypatch: pytest.MonkeyPatch, approvers: list[str]
) -> None:
    entry = REGISTERED | {"approvers": approvers}
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/orders", Value=json.dumps(entry), Overwrite=True)
    posts: list[Any] = []
    monkeypatch.setattr(Webhooks, "post", lambda _, app, message: posts.append((app, message)))
    ask(HealState.from_json(state(scene)), desk, EXPIRES)
    ((app, message),) = posts
    assert app == "orders"
    assert message.link.startswith("https://page.example/a/") is not bool(approvers)
    assert ("console.aws.amazon.com" in message.link) is bool(approvers)
    facts = dict(message.facts)
    assert facts["Confidence (the model's own)"] == "86%"
    assert "NOT fully proven" in facts["Evidence"]
    assert TOKEN not in str(message)
    assert "RATES" not in message.headline


def test_a_patch_that_stands_because_nothing_better_was_proven_is_asked_about_as_what_it_is(
    scene: Scene, desk: Deployment, inbox: Inbox
) -> None:
    first = ask(HealState.from_json(state(scene)), desk, EXPIRES)
    inbox()
    desk.decisions.decide(first.approval_id, Decision(Verdict.REVISE, "ana@example.com", "Shorter."))
    standing = {"attempt": 1, "why": "a test that passed now fails."}
    kept = state(scene) | {"attempt": 3, "standing": standing, "review": {}, "task_token": "another"}
    again = ask(HealState.from_json(kept), desk, EXPIRES)
    assert again.approval_id != first.approval_id
    assert (again.attempt, again.of_attempt, again.patch_sha256) == (3, 1, first.patch_sha256)
    assert again.suffices("ana@example.com"), "what she asked for is not in this patch"
    text = " ".join(inbox()[0]["Message"].split())
    assert "Nothing better could be proven: a test that passed now fails. You can still approve" in text


@pytest.mark.parametrize(
    ("part", "name"),
    [("proposal", "key"), ("validation", "patch_key"), ("validation", "evidence_key"), ("source", "key")],
)
def test_nobody_is_asked_about_what_may_be_swapped_afterwards(
    scene: Scene, desk: Deployment, part: str, name: str
) -> None:
    given = state(scene)
    given[part][name] = given[part][name].partition("@")[0]
    with pytest.raises(ArtifactChanged, match="which bytes are meant"):
        ask(HealState.from_json(given), desk, EXPIRES)
    assert desk.incidents.get("orders-v1-abc").approval_id == ""
