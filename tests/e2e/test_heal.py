"""From a crash of the sample service to a pull request that holds the approved bytes."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import Standing
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.evidence import Result
from infra.cli.decide import identity
from infra.cli.demo import verify
from infra.cli.report import gather
from infra.life_events import schema
from infra.local import run as embedded
from infra.local.crash import CRASHES, HEALED, request
from tests.e2e.conftest import CRASH

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

UNKNOWN = """[ERROR] ValueError: no rate for NZ
Traceback (most recent call last):
  File "/var/task/rates.py", line 2, in rate
    raise ValueError(f'no rate for {country}')
"""
"""An error that no rule of the built-in model covers."""


@pytest.mark.parametrize("name", sorted(set(CRASHES) - set(HEALED)))
def test_what_nobody_should_heal_ends_as_it_is_said_and_says_why(world: World, name: str) -> None:
    target = world.target
    seen = {i.incident_id for i in target.incidents.recent(embedded.SAMPLE_FUNCTION)}
    answer = request(target, CRASHES[name].crashes)

    def over() -> list[Incident] | None:
        new = [i for i in target.incidents.recent(embedded.SAMPLE_FUNCTION) if i.incident_id not in seen]
        return [i for i in new if not i.status.goes_on] or None

    (incident,) = world.eventually(over, lambda: f"{name} does not end")
    assert (incident.error_type, incident.status) == (answer.error, CRASHES[name].ends)
    assert incident.reason or incident.class_reason
    assert incident.next_action


@pytest.mark.parametrize("name", HEALED)
def test_a_crash_of_the_sample_service_becomes_a_proven_pull_request(world: World, name: str) -> None:
    target = world.target
    seen = {i.incident_id for i in target.incidents.recent(embedded.SAMPLE_FUNCTION)}
    assert not request(target, CRASHES[name].works or {}).error
    answer = request(target, CRASHES[name].crashes)
    assert answer.error

    def waiting() -> object:
        rows = target.incidents.recent(embedded.SAMPLE_FUNCTION)
        new = [i for i in rows if i.incident_id not in seen and i.status is not Status.NEW]
        over = [i for i in new if i.status is not Status.HEALING]
        return over[0] if over else None

    world.eventually(waiting, lambda: "nothing happened")
    listed = next(i for i in target.incidents.recent(embedded.SAMPLE_FUNCTION) if i.incident_id not in seen)
    incident = target.incidents.get(listed.incident_id)
    assert incident.status is Status.AWAITING_APPROVAL, incident.reason
    assert incident.error_type == answer.error
    report = gather(target, incident)
    assert report.evidence
    results = {gate.gate: gate.result for gate in report.evidence.gates}
    assert results["reproduces"] is Result.PASS
    assert results["regression_tests"] is Result.PASS

    assert world.decide(incident, Verdict.APPROVE).standing is Standing.ACCEPTED
    world.eventually(
        lambda: target.incidents.get(incident.incident_id).status is Status.PR_OPEN or None,
        lambda: str(target.incidents.get(incident.incident_id)),
    )
    done = target.incidents.get(incident.incident_id)
    verify(target, world.run, report, done)
    assert done.pull_request_url.startswith(world.run.forge_url)


def test_rejecting_ends_the_heal_with_the_reason(world: World) -> None:
    app = world.app()
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    world.decide(incident, Verdict.REJECT, "no", "too_risky")
    rejected = world.until(app, Status.REJECTED)
    assert "risky" in rejected.reason.lower()
    (decision,) = gather(world.target, rejected).to_json()["decisions"]
    assert (decision["decision"], decision["by"], decision["via"]) == (
        "reject",
        identity(world.target),
        "iam",
    )
    assert decision["patch_sha256"] == rejected.patch_sha256
    assert world.executions(app)[0]["status"] == "SUCCEEDED"
    assert world.pulls(app) == []


def test_every_change_of_an_incident_s_status_is_an_event_as_the_schema_has_it(world: World) -> None:
    """Of three heals at once: one that ends with a pull request, a rejection and an abstention."""
    healed, rejected = world.app(), world.app()
    abstained = world.app(
        {"rates.py": "def rate(country):\n    raise ValueError(f'no rate for {country}')\n"}
    )
    apps = {app.name: app for app in (healed, rejected, abstained)}
    app = healed
    bus, events, sqs = world.target.names.bus, world.client("events"), world.client("sqs")
    queue = sqs.create_queue(QueueName=f"life-of-{app.name}")["QueueUrl"]
    asked = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
    arn = sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
    pattern = {"source": ["self-heal"], "detail": {"app": list(apps)}}
    events.put_rule(Name=app.name, EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=app.name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    for each in apps.values():
        world.log(each, CRASH if each is not abstained else UNKNOWN)
    world.decide(world.until(healed, Status.AWAITING_APPROVAL), Verdict.APPROVE)
    world.decide(world.until(rejected, Status.AWAITING_APPROVAL), Verdict.REJECT, "no", "too_risky")
    ends = ((healed, Status.PR_OPEN), (rejected, Status.REJECTED), (abstained, Status.ABSTAINED))
    ids = {world.until(each, status).incident_id for each, status in ends}

    heard: list[dict[str, Any]] = []

    def all_heard() -> list[list[str]] | None:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()):
            heard.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        of = [[e["detail"]["status"] for e in heard if e["detail"]["app"] == name] for name in apps]
        return of if len(heard) >= 13 else None

    told = world.eventually(all_heard, lambda: str(heard))
    events.remove_targets(Rule=app.name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=app.name, EventBusName=bus)
    begun = ["NEW", "HEALING", "AWAITING_APPROVAL", "HEALING"]
    assert told == [[*begun, "PR_OPEN"], [*begun, "REJECTED"], ["NEW", "HEALING", "ABSTAINED"]]
    assert {each["detail"]["incident_id"] for each in heard} == ids
    described = schema()["components"]
    valid = fastjsonschema.compile(described["schemas"]["AWSEvent"] | {"components": described})
    for event in heard:
        valid(event)


def test_asking_for_changes_brings_another_attempt(world: World) -> None:
    app = world.app()
    world.log(app)
    first = world.until(app, Status.AWAITING_APPROVAL)
    world.decide(first, Verdict.REVISE, "please do it another way")

    def proposed_again() -> list[str] | None:
        states = [row.state for row in world.history(first)]
        settled = states[-1] in ("AwaitApproval", "Abstained")
        return states if states.count("ProposePatch") >= 2 and settled else None

    states = world.eventually(proposed_again, lambda: str(world.history(first)))
    assert states.count("FetchSource") == 1, "the source is fetched once per heal"


def test_a_fix_that_does_not_last_is_healed_again_once_it_runs(world: World) -> None:
    app = world.app()
    world.log(app)
    world.decide(world.until(app, Status.AWAITING_APPROVAL), Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
    from github import Auth, Github

    client = Github(auth=Auth.Token("forge-token"), base_url=world.forge.api_url, retry=None)
    pull = client.get_repo(app.slug).get_pull(1)
    assert pull.draft, "the repository has no tests, so not all is proven"
    pull.mark_ready_for_review()
    pull.merge()
    track(world)
    merged = world.until(app, Status.MERGED)

    world.log(app)
    world.eventually(
        lambda: world.incidents(app)[0].occurrences > merged.occurrences or None, lambda: "not counted"
    )
    track(world)
    assert world.incidents(app)[0].status is Status.MERGED, "a merge is no deployment"

    # A minute later, as the incident's own clock goes, from where the fix runs.
    late = int(time.time() * 1000) + 120_000
    record = json.dumps({"level": "ERROR", "git_sha": merged.merge_sha, "exception": CRASH})
    world.client("logs").put_log_events(
        logGroupName=app.log_groups[0],
        logStreamName="stream",
        logEvents=[{"timestamp": late, "message": record}],
    )
    world.eventually(
        lambda: world.incidents(app)[0].revision == merged.merge_sha or None, lambda: "no revision"
    )
    track(world)
    again = world.eventually(
        lambda: next((i for i in world.incidents(app) if i.generation == 2), None), lambda: "not reopened"
    )
    assert again.regressed_from.endswith("/pull/1")


def track(world: World) -> None:
    """Look at the pull requests, as the schedule does."""
    tracked = world.client("lambda").invoke(FunctionName="self-heal-track-pull-requests:live", Payload=b"{}")
    told = json.loads(tracked["Payload"].read())
    # Other tests may have left apps whose forge is gone: these are told, and keep nobody waiting.
    assert told.get("errorType") in (None, "ForgeUnavailable"), told
