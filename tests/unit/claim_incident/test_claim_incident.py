"""ClaimIncident, through its Lambda entry point, against moto."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.claim_incident.handler import handler
from functions.core.apps.entries import note
from functions.core.incidents.incident import ErrorClass, Status
from functions.core.incidents.table import MOST_JOINED, Incidents
from functions.core.workflow.errors import AppNotRegistered, IncidentNotFound
from functions.detect_errors.recorder import Recorder, Sighting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.fakes.emulated import LambdaContext

INCIDENT = "orders-v1-abc"
MINE, OTHER = "arn:execution:mine", "arn:execution:other"
SWITCH = "/claim-test/stopped"


def configure(**fields: Any) -> None:
    """Write the app's entry."""
    entry = {"log_groups": ["/app"], "repository": "https://github.com/shop/orders.git", **fields}
    boto3.client("ssm").put_parameter(
        Name="/claim-test/apps/orders", Value=json.dumps(entry), Type="SecureString", Overwrite=True
    )


def put(table: Table, number: int, **attributes: Any) -> str:
    """Write another incident; its id."""
    item = {
        "fingerprint": f"v1-{number}",
        "status": "NEW",
        "error_type": "KeyError",
        "title": "KeyError: @all",
    }
    item |= {"incident_id": f"orders-v1-{number}", "app": "orders", "last_seen": "2027-01-15T08:00:00+00:00"}
    table.put_item(Item=item | {"generation": 1, "occurrences": 1} | attributes)
    return str(item["incident_id"])


@pytest.fixture
def table(incidents_table: Table, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    monkeypatch.setenv("REGISTRY_PATH", "/claim-test/apps")
    configure(max_attempts=4, max_heals_at_once=50)
    item = {"fingerprint": "v1-abc", "status": "NEW", "error_type": "KeyError", "title": "KeyError: 'sku'"}
    incidents_table.put_item(Item={"incident_id": INCIDENT, "app": "orders", **item})
    monkeypatch.setenv("SWITCH_PARAMETER", SWITCH)
    monkeypatch.setenv("HEALS_AT_ONCE", "20")
    arn = boto3.client("sns").create_topic(Name="claims")["TopicArn"]
    monkeypatch.setenv("TOPIC_ARN", arn)
    return incidents_table


@pytest.fixture
def inbox(table: Table) -> Callable[[], list[str]]:
    """What the team was sent."""
    queue = boto3.client("sqs").create_queue(QueueName="claims-inbox")["QueueUrl"]
    boto3.client("sns").subscribe(
        TopicArn=os.environ["TOPIC_ARN"],
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:123456789012:claims-inbox",
    )

    def read() -> list[str]:
        answer = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["Message"] for message in answer.get("Messages", ())]

    return read


def claim(context: Any, execution_arn: str, incident_id: str = INCIDENT) -> dict[str, Any]:
    event = {"incident_id": incident_id, "execution_arn": execution_arn, "heal_id": execution_arn[-4:]}
    return handler(event, context)


def test_a_new_incident_is_claimed_and_the_heal_gets_its_first_state(
    table: Table, lambda_context: LambdaContext
) -> None:
    assert claim(lambda_context, MINE) == {
        "claimed": True,
        "incident_id": INCIDENT,
        "app": "orders",
        "heal_id": "mine",
        "attempt": 0,
        "attempts_allowed": 4,
        "max_attempts": 4,
        "comment": "",
        "follow_up": False,
        "mode": "pull-request",
        "callback_decides": True,
        "second_opinion": False,
    }
    item = table.get_item(Key={"incident_id": INCIDENT})["Item"]
    assert (item["status"], item["execution_arn"]) == ("HEALING", MINE)


def test_the_same_execution_may_claim_again_and_no_other_may(
    table: Table, lambda_context: LambdaContext
) -> None:
    first = claim(lambda_context, MINE)
    assert claim(lambda_context, MINE) == first
    other = claim(lambda_context, OTHER)
    assert [other[name] for name in ("claimed", "busy", "observed", "held_back")] == [False] * 4
    assert table.get_item(Key={"incident_id": INCIDENT})["Item"]["execution_arn"] == MINE


def test_an_hour_has_so_many_heals_and_what_comes_beyond_waits_for_the_next(
    table: Table,
    recorder: Recorder,
    lambda_context: LambdaContext,
    inbox: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three kilobytes of forged tracebacks are 30 errors, and not 30 heals."""
    configure(storm_after=1000, max_heals_at_once=50)
    now = 1_800_000_000
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setenv("HEALS_AT_ONCE", "100")
    forged = [f"orders-v1-{n}" for n in range(30)]
    for number in range(30):
        put(table, number)

    answers = [claim(lambda_context, f"arn:{name}", name) for name in forged]
    again = claim(lambda_context, "arn:orders-v1-0", "orders-v1-0")

    assert [a["claimed"] for a in answers] == [True] * 20 + [False] * 10
    assert again["claimed"], "a retry counts once"
    assert all(a["held_back"] for a in answers[20:])
    held = table.get_item(Key={"incident_id": "orders-v1-25"})["Item"]
    assert (held["status"], held["held_until"]) == ("SUPPRESSED", (now // 3600 + 1) * 3600)
    (mail,) = inbox()
    assert "20 heals of orders began within this hour" in mail
    assert "[@]all" in mail

    at = "2027-01-15T08:00:01+00:00"
    sighting = Sighting(
        "orders", "v1-25", "KeyError", "t", ErrorClass.CODE, "", "", "", (), 1, at, at, "", "", b"1", True
    )
    assert recorder.record(sighting).incident.status is Status.SUPPRESSED
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert recorder.record(replace(sighting, delivery_id=b"2")).incident.status is Status.NEW
    assert recorder.record(replace(sighting, delivery_id=b"3")).incident.generation == 1
    assert claim(lambda_context, "arn:later", "orders-v1-25")["claimed"]


@pytest.mark.parametrize("limit", ["max_heals_per_hour", "max_heals_per_day"])
def test_the_limit_that_holds_heals_back_is_the_one_that_people_are_told_to_raise(
    limit: str, table: Table, lambda_context: LambdaContext, inbox: Callable[[], list[str]]
) -> None:
    configure(**{limit: 3})
    for number in range(4):
        name = put(table, number)
        claim(lambda_context, f"arn:{name}", name)
    (mail,) = inbox()
    assert f"selfheal configure orders --set {limit}=6" in mail


def test_after_a_full_hour_a_quarter_of_the_next_is_for_those_who_waited(
    table: Table, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(storm_after=1000, max_heals_per_hour=4, max_heals_at_once=50)
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000)
    names = [put(table, number) for number in range(12)]
    assert [claim(lambda_context, f"arn:{name}", name)["claimed"] for name in names[:6]] == [
        *[True] * 4,
        *[False] * 2,
    ]
    incidents = Incidents(table)
    waiting = incidents.get(names[4])
    assert waiting.waiting_since

    monkeypatch.setattr(time, "time", lambda: 1_800_000_000 + 3600)
    incidents.transition(waiting.incident_id, Status.SUPPRESSED, status=str(Status.NEW))
    asked = [*names[6:11], waiting.incident_id, names[11]]
    assert [claim(lambda_context, f"arn:{name}", name)["claimed"] for name in asked] == [
        *[True] * 3,
        *[False] * 2,
        True,
        False,
    ]
    assert not incidents.get(waiting.incident_id).waiting_since, "its heal has begun"


def at(monkeypatch: pytest.MonkeyPatch, minute: int) -> None:
    """Set the clock, to minutes after a quarter of an hour began."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000 + 60 * minute)


def test_a_storm_is_one_question_instead_of_many_heals(
    table: Table,
    lambda_context: LambdaContext,
    inbox: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(storm_after=3)
    names = [put(table, number) for number in range(9)]
    at(monkeypatch, 1)
    answers = [claim(lambda_context, f"arn:{name}", name) for name in names[:6]]
    for minute, number in ((16, 6), (31, 7), (46, 8)):
        at(monkeypatch, minute)
        answers.append(claim(lambda_context, f"arn:{names[number]}", names[number]))

    assert [answer["claimed"] for answer in answers] == [
        *[True] * 3,
        *[False] * 4,  # the last of them later, but before a quarter of an hour was calm
        *[True] * 2,
    ]
    held = table.get_item(Key={"incident_id": names[6]})["Item"]
    assert (held["status"], held["held_until"]) == ("SUPPRESSED", 1_800_000_000 + 16 * 60 + 24 * 3600)
    assert "storm of 2027-01-15 08:00 UTC: more than 3 new errors of orders" in str(held["reason"])
    assert f"selfheal retry {names[6]} (" in str(held["next_action"])
    (mail,) = inbox()
    assert "selfheal retry --app orders --search 'storm of 2027-01-15 08:00'" in mail
    assert names[3] in mail
    assert "[@]all" in mail


def test_who_waited_for_a_day_is_no_part_of_another_storm(
    table: Table, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storm without end keeps nothing from being healed for good."""
    configure(storm_after=1)
    names = [put(table, number) for number in range(5)]
    incidents = Incidents(table)

    def ask(minute: int, *names: str) -> list[bool]:
        at(monkeypatch, minute)
        for name in names:
            incidents.transition(name, Status.SUPPRESSED, status=str(Status.NEW))
        return [claim(lambda_context, f"arn:{name}", name)["claimed"] for name in names]

    assert ask(0, *names[:3]) == [True, False, False]
    day = 24 * 60
    assert ask(day - 1, names[3], names[1], names[2]) == [True, False, False]
    assert ask(day, names[4], names[1]) == [False, True]


def test_what_people_start_over_is_no_part_of_the_storm_and_what_comes_back_after_a_fix_is(
    table: Table, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(storm_after=1)
    at(monkeypatch, 1)
    names = [put(table, number) for number in range(3)]
    assert [claim(lambda_context, f"arn:{name}", name)["claimed"] for name in names] == [True, False, False]

    incidents = Incidents(table)
    for name in names[1:]:
        assert incidents.start_over(incidents.get(name))
        assert claim(lambda_context, f"arn:again:{name}", name)["claimed"]

    regressed = put(table, 4, generation=2, regressed_from="https://forge.example/pull/1")
    assert claim(lambda_context, "arn:4", regressed)["held_back"]


def test_a_storm_counts_each_incident_once_and_each_app_by_itself(
    table: Table, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heal that waits for its turn asks every minute."""
    configure(storm_after=2, max_heals_at_once=1)
    at(monkeypatch, 1)
    first, second = put(table, 1), put(table, 2)
    assert claim(lambda_context, MINE, first)["claimed"]
    for _ in range(4):
        assert claim(lambda_context, OTHER, second)["busy"]
    assert not Incidents(table).storm("shop", 2).joined_by("shop-v1-1")

    assert claim(lambda_context, "arn:3", put(table, 3))["held_back"]
    assert claim(lambda_context, OTHER, second)["held_back"], "it had not begun"
    assert claim(lambda_context, MINE, first)["claimed"], "it had"


def test_an_incident_that_is_gone_is_named(table: Table, lambda_context: LambdaContext) -> None:
    with pytest.raises(IncidentNotFound, match="orders-gone"):
        claim(lambda_context, MINE, "orders-gone")


def test_an_app_that_is_not_registered_leaves_the_incident_unclaimed(
    table: Table, lambda_context: LambdaContext
) -> None:
    item = {"fingerprint": "f", "status": "NEW", "error_type": "KeyError", "title": "KeyError"}
    table.put_item(Item={"incident_id": "ghost-f", "app": "ghost", **item})
    with pytest.raises(AppNotRegistered):
        claim(lambda_context, MINE, "ghost-f")
    assert table.get_item(Key={"incident_id": "ghost-f"})["Item"]["status"] == "NEW"


def test_what_was_recorded_while_its_app_was_renamed_is_healed_under_the_new_name(
    table: Table, lambda_context: LambdaContext
) -> None:
    ssm = boto3.client("ssm")
    entry = ssm.get_parameter(Name="/claim-test/apps/orders", WithDecryption=True)["Parameter"]["Value"]
    ssm.put_parameter(Name="/claim-test/apps/shop", Value=entry, Type="SecureString")
    ssm.put_parameter(Name="/claim-test/apps/orders", Value=note("shop"), Overwrite=True)
    claimed = claim(lambda_context, MINE)
    assert (claimed["claimed"], claimed["app"]) == (True, "shop")
    assert Incidents(table).get(INCIDENT).app == "shop"


HELD: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "healing is stopped": ({}, {}, "held_back", "healing was stopped by hand"),
    "the app is paused": ({"paused": True}, {}, "held_back", "orders is paused"),
    "the app observes": ({"mode": "observe"}, {}, "observed", "only observes"),
    "the app observes this class": ({"class_modes": {"code": "observe"}}, {}, "observed", "class code"),
    "it is too rare": ({"min_occurrences": 3}, {"occurrences": 2}, "held_back", "seen 2 times"),
    "too many pull requests are open": (
        {"max_open_pull_requests": 1},
        {},
        "held_back",
        "has 1 pull request to be merged",
    ),
    "the day had its heals": (
        {"max_heals_per_day": 1},
        {},
        "held_back",
        "1 heal of orders began within this day",
    ),
}


@pytest.mark.parametrize("case", HELD)
def test_what_is_not_healed_now_is_recorded_with_why_and_what_to_do(
    case: str, table: Table, lambda_context: LambdaContext
) -> None:
    entry, incident, flag, said = HELD[case]
    configure(**entry)
    if "stopped" in case:
        boto3.client("ssm").put_parameter(Name=SWITCH, Value="no", Type="String")
    if "open" in case:
        put(table, 1, status="PR_OPEN")
    if "day" in case:
        assert claim(lambda_context, OTHER, put(table, 1))["claimed"]
    name = put(table, 2, **incident)

    answer = claim(lambda_context, MINE, name)

    assert {flag: answer[flag] for flag in ("claimed", "busy", "observed", "held_back")} == {
        **dict.fromkeys(("claimed", "busy", "observed", "held_back"), False),
        flag: True,
    }
    assert said in answer["reason"]
    held = table.get_item(Key={"incident_id": name})["Item"]
    assert (held["status"], held["reason"]) == ("SUPPRESSED", answer["reason"])
    assert held["held_until"], "it is healed when it is seen again once it may"
    assert ("diagnose would have" in str(held["higher_mode"])) == (flag == "observed")
    assert held["next_action"]


@pytest.mark.parametrize(
    ("entry", "mode"),
    [
        ({"mode": "diagnose"}, "diagnose"),
        ({"mode": "propose", "class_modes": {"timeout": "observe"}}, "propose"),
        ({"mode": "observe", "class_modes": {"code": "propose"}}, "propose"),
    ],
)
def test_a_heal_goes_as_far_as_the_mode_of_its_class(
    entry: dict[str, Any], mode: str, table: Table, lambda_context: LambdaContext
) -> None:
    configure(**entry)
    assert claim(lambda_context, MINE)["mode"] == mode


def test_one_that_was_seen_often_enough_is_healed_and_so_is_one_that_was_started_over(
    table: Table, lambda_context: LambdaContext
) -> None:
    configure(min_occurrences=3)
    assert claim(lambda_context, MINE, put(table, 1, occurrences=3))["claimed"]
    assert claim(lambda_context, OTHER, put(table, 2, generation=2))["claimed"]


@pytest.mark.parametrize(("app", "stack"), [(2, 50), (50, 2)], ids=["of the app", "of the deployment"])
def test_so_many_heals_are_under_way_at_once_and_the_next_begins_when_one_has_ended_or_waits_for_people(
    app: int, stack: int, table: Table, lambda_context: LambdaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(max_heals_at_once=app)
    monkeypatch.setenv("HEALS_AT_ONCE", str(stack))
    first, second, third, fourth = (put(table, number) for number in range(4))
    for name in (first, second):
        assert claim(lambda_context, f"arn:{name}", name)["claimed"]

    waiting = claim(lambda_context, f"arn:{third}", third)

    assert (waiting["claimed"], waiting["busy"], waiting["incident_id"]) == (False, True, third)
    assert table.get_item(Key={"incident_id": third})["Item"]["status"] == "NEW"
    assert claim(lambda_context, f"arn:{first}", first)["claimed"], "it has its turn"
    table.update_item(
        Key={"incident_id": first},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": "AWAITING_APPROVAL"},
    )
    assert claim(lambda_context, f"arn:{third}", third)["claimed"]
    assert claim(lambda_context, f"arn:{fourth}", fourth)["busy"]


def test_what_was_held_back_is_new_again_when_it_is_seen_and_may_be_healed(
    table: Table, recorder: Recorder, lambda_context: LambdaContext
) -> None:
    configure(paused=True)
    name = put(table, 7)
    claim(lambda_context, MINE, name)
    at = "2027-01-15T09:00:00.000+00:00"
    seen = Sighting(
        "orders",
        "v1-7",
        "KeyError",
        "t",
        ErrorClass.CODE,
        "",
        "",
        "",
        (),
        2,
        at,
        at,
        "",
        "",
        b"1",
        True,
        False,
    )

    assert recorder.record(seen).incident.status is Status.SUPPRESSED, "nothing starts that would end at once"
    again = recorder.record(replace(seen, heals_now=True, delivery_id=b"2")).incident

    assert (again.status, again.last_seen) == (Status.NEW, at)


def frame(function: str = "rate", code: str = "return RATES[country]", **changes: Any) -> dict[str, Any]:
    return {
        "file": "/var/task/rates.py",
        "line": 6,
        "function": function,
        "code": code,
        "in_app": True,
    } | changes


def test_eight_symptoms_of_one_cause_are_one_heal(table: Table, lambda_context: LambdaContext) -> None:
    """Other ways in, other errors; the line is the same, or caused what failed."""
    ways = [
        {"frames": [frame(f"handler_{number}", f"rate(order{number})"), frame(line=number)]}
        for number in range(6)
    ]
    ways += [{"frames": [frame("bill", "raise Bad() from e")], "causes": [frame()]} for _ in range(2)]
    names = [put(table, number, **way) for number, way in enumerate(ways)]
    states = [claim(lambda_context, f"arn:execution:{name}", name) for name in names]
    assert [state["claimed"] for state in states] == [True, *[False] * 7]
    assert all(state["joined"] for state in states[1:])
    items = {name: table.get_item(Key={"incident_id": name})["Item"] for name in names}
    assert items[names[0]]["status"] == "HEALING"
    assert items[names[0]]["joined"] == names[1:]
    for name in names[1:]:
        assert (items[name]["status"], items[name]["joined_to"]) == ("JOINED", names[0])
        assert names[0] in str(items[name]["next_action"])
    again = claim(lambda_context, "arn:execution:later", names[1])
    assert not again["claimed"], "a redelivery changes nothing"


def test_however_many_join_the_item_that_is_healed_can_still_be_written(
    table: Table, lambda_context: LambdaContext
) -> None:
    """Whoever writes to the log decides how many do."""
    first, last = (put(table, number, frames=[frame()]) for number in (1, 2))
    claim(lambda_context, "arn:execution:1", first)
    before = [f"shop-{number}" for number in range(MOST_JOINED)]
    table.update_item(
        Key={"incident_id": first},
        UpdateExpression="SET joined = :these",
        ExpressionAttributeValues={":these": before},
    )
    assert claim(lambda_context, "arn:execution:2", last)["joined"]
    items = [table.get_item(Key={"incident_id": name})["Item"] for name in (first, last)]
    assert items[0]["joined"] == before
    assert (items[1]["status"], items[1]["joined_to"]) == ("JOINED", first), "it ends with it all the same"


def test_what_is_alike_elsewhere_is_another_cause(table: Table, lambda_context: LambdaContext) -> None:
    lines = [frame(), frame(function="fee"), frame(code="return FEES[country]"), frame(file="/var/task/a.py")]
    names = [put(table, number, frames=[line]) for number, line in enumerate(lines)]
    assert all(claim(lambda_context, f"arn:execution:{name}", name)["claimed"] for name in names)


@pytest.mark.parametrize(("status", "joins"), [("MERGED", True), ("PR_OPEN", True), ("ABSTAINED", False)])
def test_a_heal_that_came_to_nothing_keeps_nobody_waiting(
    table: Table, lambda_context: LambdaContext, status: str, joins: bool
) -> None:
    first, second, third = (put(table, number, frames=[frame()]) for number in range(3))
    claim(lambda_context, MINE, first)
    claim(lambda_context, OTHER, second)
    boto3.resource("dynamodb").Table(table.name).update_item(
        Key={"incident_id": first},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": status},
    )
    assert claim(lambda_context, "arn:execution:3", third)["claimed"] is not joins
