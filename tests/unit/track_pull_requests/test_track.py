"""The end of the loop: merged, deployed and gone is resolved; deployed and back is new again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.core.apps.app import App
from functions.core.apps.deployed import Claim, RevisionClaims
from functions.core.forge.connect import connect
from functions.core.incidents.incident import ErrorClass, Incident, Status
from functions.core.incidents.table import Incidents
from functions.detect_errors.recorder import Recorder, Sighting
from functions.track_pull_requests.service import RunningService
from functions.track_pull_requests.track import Tracked, count, track

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.unit.conftest import Hosted

ID = "orders-f"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Deployed:
    """A service whose function names `revision`, and which is in use or not."""

    revision: str = ""
    used: bool = True
    asked: list[bool] = field(default_factory=list)

    def told(self, incident: Incident, environment: bool) -> RevisionClaims:
        self.asked.append(environment)
        assert not incident.log_stream, "what failed ran before the fix"
        return RevisionClaims((Claim("tag git_sha", self.revision, ""),) if self.revision else ())

    def used_since(self, incident: Incident, since: datetime) -> bool:
        return self.used


@dataclass
class Scene:
    """One incident with a pull request, and the clock."""

    hosted: Hosted
    incidents: Incidents
    recorder: Recorder
    service: Deployed
    number: int
    now: datetime = START
    entry: dict[str, Any] = field(default_factory=dict)

    def track(self, *others: App, after: timedelta = timedelta()) -> Tracked:
        self.now += after
        app = replace(self.hosted.app, **self.entry)
        return track(
            [*others, app],
            self.incidents,
            lambda one: connect(one, self.hosted.token),
            self.service,
            self.now,
        )

    def merge(self) -> str:
        self.hosted.github.get_pull(self.number).merge()
        assert self.track().merged == (ID,)
        return self.incident.merge_sha

    def crash(self, revision: str = "", after: timedelta = timedelta()) -> None:
        self.now += after
        self.recorder.record(sighting("orders", self.now, revision))

    @property
    def incident(self) -> Incident:
        return self.incidents.get(ID)


@pytest.fixture
def scene(hosted: Hosted, incidents_table: Table, recorder: Recorder) -> Scene:
    incidents = Incidents(incidents_table)
    hosted.branch("self-heal/x")
    pull = hosted.github.create_pull(base="main", head="self-heal/x", title="Fix", body="")
    waiting(incidents, recorder, "orders", pull.html_url)
    return Scene(hosted, incidents, recorder, Deployed(), pull.number)


def sighting(app: str, at: datetime, revision: str = "") -> Sighting:
    time = at.isoformat(timespec="milliseconds")
    return Sighting(
        app=app,
        fingerprint="f",
        error_type="KeyError",
        title="KeyError",
        error_class=ErrorClass.CODE,
        class_reason="",
        next_action="",
        sample="",
        frames=(),
        count=1,
        first_seen=time,
        last_seen=time,
        log_group=f"/aws/lambda/{app}",
        log_stream="2026/11/20/[7]0123456789abcdef",
        delivery_id=f"{time}{revision}".encode(),
        heals=True,
        revision=revision,
    )


def waiting(incidents: Incidents, recorder: Recorder, app: str, url: str) -> None:
    recorder.record(sighting(app, START))
    incidents.claim(f"{app}-f", "arn")
    incidents.advance(f"{app}-f", "arn", status=str(Status.PR_OPEN), pull_request_url=url)


def test_an_open_one_stays_open(scene: Scene) -> None:
    assert scene.track() == Tracked()
    assert scene.incident.status is Status.PR_OPEN


def test_a_merge_is_no_deployment(scene: Scene) -> None:
    sha = scene.merge()
    assert scene.hosted.git("rev-parse", "main") == sha
    assert scene.incident.status is Status.MERGED
    assert scene.incident.merged_at == START.isoformat(timespec="milliseconds")
    assert "Deploy it" in scene.incident.next_action
    assert scene.track() == Tracked(), "twice is once"


def test_occurrences_between_merge_and_deployment_only_count(scene: Scene) -> None:
    scene.service.revision = scene.hosted.base_sha
    scene.merge()
    before = scene.incident.occurrences
    for minute in range(100):
        scene.crash(after=timedelta(minutes=1))
        if not minute % 15:
            assert scene.track() == Tracked()
    incident = scene.incident
    assert (incident.status, incident.generation) == (Status.MERGED, 1)
    assert incident.occurrences == before + 100


def test_deployed_and_gone_is_resolved_with_its_evidence(scene: Scene) -> None:
    sha = scene.merge()
    scene.crash(after=HOUR)
    scene.service.revision = sha
    assert scene.track(after=HOUR) == Tracked()
    assert scene.incident.fix_runs_why == f"tag git_sha names {sha}, which has the merge"
    assert scene.track(after=23 * HOUR) == Tracked()
    assert scene.track(after=HOUR).resolved == (ID,)
    assert scene.incident.status is Status.RESOLVED
    assert sha in scene.incident.reason
    assert "not seen since 2026-11-20T14:00:00.000+00:00" in scene.incident.reason


def test_a_service_that_nobody_uses_proves_nothing(scene: Scene) -> None:
    scene.service.revision = scene.merge()
    scene.service.used = False
    for _ in range(5):
        assert scene.track(after=24 * HOUR) == Tracked()
    scene.service.used = True
    assert scene.track().resolved == (ID,)


def test_deployed_and_back_is_new_again_with_the_fix_that_did_not_last(scene: Scene) -> None:
    sha = scene.merge()
    scene.entry = {"revision": sha}
    scene.track()
    scene.crash(after=HOUR)
    assert scene.track().regressed == (ID,)
    incident = scene.incident
    assert (incident.status, incident.generation) == (Status.NEW, 2)
    assert incident.regressed_from.endswith(f"/pull/{scene.number}")
    assert f"the app's entry names {sha}" in incident.reason


def test_what_still_ran_while_the_fix_was_deployed_is_no_regression(scene: Scene) -> None:
    scene.service.revision = scene.merge()
    scene.track()
    scene.crash(after=timedelta(minutes=15))
    assert scene.track() == Tracked()
    assert scene.incident.status is Status.MERGED


def test_an_occurrence_that_names_a_revision_without_the_fix_is_none(scene: Scene) -> None:
    scene.service.revision = scene.merge()
    scene.track()
    scene.crash(revision=scene.hosted.base_sha, after=5 * HOUR)
    assert scene.track() == Tracked()
    scene.crash(revision=scene.service.revision, after=HOUR)
    assert scene.track().regressed == (ID,)


def test_a_rollback_takes_the_fix_back(scene: Scene) -> None:
    sha = scene.merge()
    scene.service.revision = sha
    scene.track()
    scene.service.revision = scene.hosted.base_sha
    scene.track(after=HOUR)
    assert scene.incident.fix_runs_since == ""
    scene.crash(after=HOUR)
    assert scene.track(after=48 * HOUR) == Tracked()
    assert scene.incident.status is Status.MERGED


def test_where_no_revision_is_known_the_app_s_own_time_counts(scene: Scene) -> None:
    scene.entry = {"deployed_within_hours": 2.0, "gone_after_hours": 3.0}
    scene.service.revision = "not-a-revision-of-this-repository"
    scene.merge()
    scene.crash(after=HOUR)
    assert scene.track() == Tracked()
    assert scene.track(after=HOUR) == Tracked()
    assert "nothing tells the deployed revision, and 2 hours passed" in scene.incident.fix_runs_why
    assert scene.track(after=3 * HOUR).resolved == (ID,)


def test_a_tag_that_the_function_names_as_a_version_is_followed(scene: Scene) -> None:
    scene.hosted.git("tag", "v2.0", scene.merge())
    scene.service.revision = "2.0"
    scene.track()
    assert "names 2.0, which has the merge" in scene.incident.fix_runs_why


def test_the_environment_is_read_only_where_the_app_asks(scene: Scene) -> None:
    scene.merge()
    scene.track()
    scene.entry = {"revision_from_environment": True}
    scene.track()
    assert scene.service.asked == [False, True]


def test_a_closed_one_rejects_with_the_reason(scene: Scene) -> None:
    scene.hosted.github.get_pull(scene.number).edit(state="closed")
    assert scene.track().rejected == (ID,)
    assert "closed without merging" in scene.incident.reason


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "https://forge/x/pull/<script>", "pull/x/1"])
def test_an_address_that_is_no_pull_request_s_keeps_nobody_waiting(scene: Scene, address: str) -> None:
    waiting(scene.incidents, scene.recorder, "other", address)
    scene.hosted.github.get_pull(scene.number).merge()
    tracked = scene.track(replace(scene.hosted.app, name="other"))
    assert (tracked.merged, tracked.unreadable) == ((ID,), ("other-f",))


def test_one_app_in_trouble_does_not_keep_the_others_waiting(scene: Scene) -> None:
    broken = replace(scene.hosted.app, name="broken", repository=f"{scene.hosted.forge.url}/shop/nothing.git")
    waiting(scene.incidents, scene.recorder, "broken", "http://forge/pull/1")
    scene.hosted.github.get_pull(scene.number).merge()
    tracked = scene.track(broken)
    assert tracked.merged == (ID,)
    assert "broken" in tracked.failures[0]


def test_what_became_of_them_is_counted_by_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    count(Tracked(merged=("a", "b"), failures=("billing: down",)))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["outcome"], each["Outcomes"]) for each in told] == [("merged", [2.0]), ("failures", [1.0])]


@pytest.fixture
def write(aws: None) -> Callable[[datetime], None]:
    logs = boto3.client("logs")
    group = "/aws/lambda/orders"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="a")

    def call(at: datetime) -> None:
        logs.put_log_events(
            logGroupName=group,
            logStreamName="a",
            logEvents=[{"timestamp": int(at.timestamp() * 1000), "message": "served"}],
        )

    return call


def test_a_service_is_used_when_its_log_group_was_written_to(write: Callable[[datetime], None]) -> None:
    service = RunningService(boto3.client("lambda"), boto3.client("logs"))
    incident = Incident(
        ID, "f", "orders", Status.MERGED, "KeyError", "KeyError", log_group="/aws/lambda/orders"
    )
    now = datetime.now(UTC)
    assert not service.used_since(incident, now - HOUR)
    write(now)
    assert service.used_since(incident, now - HOUR)
    assert not service.used_since(incident, now + timedelta(seconds=1))
    assert not service.used_since(replace(incident, log_group="/aws/lambda/gone"), now)


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_however_it_is_merged_what_it_put_on_its_branch_is_looked_for(scene: Scene, method: str) -> None:
    scene.hosted.github.get_pull(scene.number).merge(merge_method=method)
    assert scene.track().merged == (ID,)
    sha = scene.incident.merge_sha
    assert sha == scene.hosted.git("rev-parse", "main")
    parents = scene.hosted.git("rev-list", "--parents", "-n1", sha).split()[1:]
    assert len(parents) == (2 if method == "merge" else 1)
    scene.service.revision = sha
    assert scene.track(after=HOUR) == Tracked()
    assert scene.track(after=25 * HOUR).resolved == (ID,)


def test_a_deleted_branch_closes_it(scene: Scene) -> None:
    scene.hosted.git("update-ref", "-d", "refs/heads/self-heal/x")
    assert scene.track().rejected == (ID,)


def test_closed_it_asks_why_once_keeps_the_answer_and_may_be_reopened(scene: Scene) -> None:
    pull = scene.hosted.github.get_pull(scene.number)
    pull.edit(state="closed")
    assert scene.track().rejected == (ID,)
    assert "/self-heal because" in scene.incident.next_action
    (asked,) = pull.get_issue_comments()
    assert "If you say why" in asked.body
    scene.hosted.forge.say("shop/orders", scene.number, "/self-heal because I am bored", "stranger")
    assert scene.track() == Tracked(), "only who may push is heard"
    scene.hosted.forge.say("shop/orders", scene.number, "/self-heal because New Zealand is next", "reviewer")
    assert scene.track().explained == (ID,)
    assert scene.incident.reason.endswith("says reviewer: New Zealand is next")
    assert scene.track() == Tracked()
    *_, noted = comments = list(pull.get_issue_comments())
    assert len(comments) == 4, "it asked once, and answered once"
    assert noted.body.startswith("Noted") and "reopen it within 7 days" in noted.body
    pull.edit(state="open")
    assert scene.track().reopened == (ID,)
    assert scene.incident.status is Status.PR_OPEN


def test_who_joined_waits_for_as_long_as_it_may_be_reopened(scene: Scene) -> None:
    scene.recorder.record(replace(sighting("orders", START), fingerprint="g"))
    scene.incidents.join(scene.incidents.get("orders-g"), ID)
    pull = scene.hosted.github.get_pull(scene.number)
    scene.now = datetime.now(UTC)
    for state, status in (("closed", Status.REJECTED), ("open", Status.PR_OPEN), ("closed", Status.REJECTED)):
        pull.edit(state=state)
        scene.track()
        scene.track()
        assert scene.incident.status is status
        assert scene.incidents.get("orders-g").status is Status.JOINED
    scene.track(after=8 * 24 * HOUR)
    scene.track()
    assert scene.incidents.get("orders-g").status is Status.REJECTED


def test_who_joined_one_that_joined_is_proven_with_the_one_that_is_healed(scene: Scene) -> None:
    for name, other in (("g", "orders-h"), ("h", ID)):
        for fingerprint in ("g", "h"):
            scene.recorder.record(replace(sighting("orders", START), fingerprint=fingerprint))
        scene.incidents.join(scene.incidents.get(f"orders-{name}"), other)
    scene.track()
    scene.track()
    found = scene.incidents.joined_with(scene.incident, 30)
    assert [one.incident_id for one in found] == ["orders-h", "orders-g"]


def test_a_week_after_it_was_closed_it_is_let_be(scene: Scene) -> None:
    pull = scene.hosted.github.get_pull(scene.number)
    pull.edit(state="closed")
    scene.now = datetime.now(UTC)
    scene.track()
    assert scene.track(after=8 * 24 * HOUR).explained == (ID,)
    assert scene.incident.next_action == ""
    pull.edit(state="open")
    assert scene.track() == Tracked()
