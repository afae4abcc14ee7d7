"""`apps`, `stop` and `start`: what becomes of an app, and of all healing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.client import BaseClient

from functions.core.apps.app import App
from functions.core.apps.discovery import Tagged
from functions.core.incidents.incident import Status
from functions.core.incidents.table import Incidents
from functions.core.workflow.errors import AppInvalid
from functions.detect_errors.recorder import Recorder
from infra import apps as managing
from infra.errors import UserError
from infra.names import DEFAULT
from infra.registration import AppSecrets, not_encrypted, put_entry, write_entry
from infra.registration import register as registering
from infra.target import Target
from tests.unit.cli.conftest import Selfheal
from tests.unit.core.incidents.test_table import SIGHTING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@pytest.fixture
def target(incidents_table: Table, deliveries_table: Table) -> Target:
    """A stack as far as registering an app needs it, and the app `orders` in it."""
    function = boto3.client("lambda")
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    detect = function.create_function(
        FunctionName="detect", Role=role, Runtime="python3.12", Handler="x.y", Code={"ZipFile": b"x"}
    )["FunctionArn"]
    target = Target(
        boto3.Session(),
        {
            "IncidentsTable": incidents_table.name,
            "DeliveriesTable": deliveries_table.name,
            "DataKeyArn": (key := boto3.client("kms").create_key()["KeyMetadata"]["Arn"]),
            "EntriesKeyArn": key,
            "DetectErrorsArn": detect,
            "PersonalTopicArn": boto3.client("sns").create_topic(Name="personal")["TopicArn"],
        },
    )
    for group in ("/aws/lambda/orders", "/aws/lambda/more"):
        boto3.client("logs").create_log_group(logGroupName=group)
    registering(target, APP, AppSecrets("s3cret", "slack https://hooks.slack.com/services/T/B/x"))
    return target


APP = App(
    name="orders",
    log_groups=("/aws/lambda/orders",),
    repository="https://github.com/shop/orders.git",
    approvers=("ana@example.com",),
)


ENTRY = f"{DEFAULT.registry}/{APP.name}"


def parameters() -> set[str]:
    rows = boto3.client("ssm").describe_parameters()["Parameters"]
    return {row["Name"] for row in rows} - {"/self-heal/link-key"}


def subscribed(group: str = "/aws/lambda/orders") -> list[str]:
    found = boto3.client("logs").describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    return [row["filterName"] for row in found]


def test_an_app_goes_with_all_that_is_its_own_and_its_incidents_stay(
    target: Target, put: Callable[..., str], selfheal: Selfheal
) -> None:
    name = put(status="PR_OPEN")
    assert parameters() == {
        *("/self-heal/apps/orders", "/self-heal/credentials/orders", "/self-heal/webhooks/orders")
    }
    assert subscribed() == [DEFAULT.filter]

    ran = selfheal("apps", "remove", "orders", "--yes")

    assert ran.exit_code == 0, ran.text
    assert parameters() == set()
    assert subscribed() == []
    assert boto3.client("sns").list_subscriptions()["Subscriptions"] == []
    assert target.incidents.get(name).status is Status.PR_OPEN
    again = selfheal("apps", "remove", "orders", "--yes")
    assert (again.exit_code, "no app 'orders'" in again.text) == (2, True)


def test_two_apps_cannot_claim_one_log_group_and_what_is_claimed_no_more_is_left_alone(
    target: Target,
) -> None:
    other = replace(APP, name="billing", approvers=())
    with pytest.raises(UserError, match="belongs to app orders already"):
        registering(target, other)
    assert "/self-heal/apps/billing" not in parameters()

    registering(target, replace(APP, log_groups=("/aws/lambda/more",)))

    assert (subscribed(), subscribed("/aws/lambda/more")) == ([], [DEFAULT.filter])
    registering(target, other)
    assert subscribed() == [DEFAULT.filter]


def test_where_all_log_groups_are_subscribed_an_app_needs_no_filter_and_loses_the_one_it_had(
    target: Target,
) -> None:
    target.outputs["AccountPolicy"] = DEFAULT.filter

    registering(target, replace(APP, log_groups=("/aws/lambda/orders", "/aws/lambda/made-later")))

    assert subscribed() == []
    assert "/self-heal/apps/orders" in parameters()


FAMILY = App.from_json("acme", {"repository": "https://github.com/acme/*"})
TAGGED = Tagged("acme.orders-1", "orders", "https://github.com/acme/orders.git")


@pytest.fixture
def discovered(target: Target) -> str:
    """An app beside `orders`, which was discovered; a log group's entry wins over that."""
    registering(target, FAMILY, AppSecrets("s3cret"))
    target.registry.keep_discovered(TAGGED)
    return TAGGED.name


def test_what_was_discovered_is_listed_as_such_and_changed_by_its_family(
    target: Target, discovered: str, selfheal: Selfheal
) -> None:
    rows = {row["app"]: row for row in json.loads(selfheal("apps", "list", "--json").text)["apps"]}
    assert {name: row["family"] for name, row in rows.items()} == {
        "orders": "",
        "acme": "",
        discovered: "acme",
    }
    assert "propose, discovered" in selfheal("apps", "list").text
    for arguments in (
        ("pause", discovered),
        ("rename", discovered, "x", "--yes"),
        ("rename", "orders", "a.b", "--yes"),
    ):
        refused = selfheal("apps", *arguments)
        assert (refused.exit_code, "was discovered" in refused.text) == (2, True), refused.text
    configured = selfheal(
        "configure",
        discovered,
        "--set",
        "mode=observe",
        "--repository",
        TAGGED.repository,
        "--log-group",
        "/x",
    )
    assert (configured.exit_code, "was discovered" in configured.text) == (2, True), configured.text
    assert "is a family" in selfheal("apps", "rename", "acme", "corp", "--yes").text
    registering(target, APP)


def test_what_was_discovered_goes_by_itself_or_with_its_family(
    target: Target, discovered: str, selfheal: Selfheal
) -> None:
    kept = f"/self-heal/apps/discovered/{discovered}"
    assert kept in parameters()
    assert selfheal("apps", "remove", discovered, "--yes").exit_code == 0
    assert kept not in parameters()
    assert {"/self-heal/apps/acme", "/self-heal/credentials/acme"} <= parameters(), "its family's stays"
    target.registry.keep_discovered(TAGGED)
    assert selfheal("apps", "remove", "acme", "--yes").exit_code == 0
    assert not {name for name in parameters() if "acme" in name}


def test_an_app_is_renamed_with_its_secrets_and_its_incidents_which_are_counted_on(
    target: Target, recorder: Recorder, selfheal: Selfheal
) -> None:
    incident = recorder.record(SIGHTING).incident
    refused = selfheal("apps", "rename", "orders", "shop", "--yes")
    assert (refused.exit_code, "under way" in refused.text) == (1, True)
    target.incidents.transition(incident.incident_id, Status.NEW, status=str(Status.ABSTAINED))

    ran = selfheal("apps", "rename", "orders", "shop", "--yes")

    assert ran.exit_code == 0, ran.text
    assert parameters() == {ENTRY} | SHOPS
    renamed = managing.find(target, "shop")
    assert target.registry.app("orders") == renamed, "as a heal knows it that is redriven"
    assert target.registry.credentials(renamed) == "s3cret"
    (moved,) = target.incidents.every("shop")
    assert (moved.incident_id, moved.status) == ("orders-v1-abc", Status.ABSTAINED)
    later = replace(SIGHTING, app="shop", first_name=renamed.first_name, delivery_id=b"later", count=2)
    later = replace(later, last_seen="2026-11-21T10:00:00.000+00:00")
    assert recorder.record(later).incident.occurrences == SIGHTING.count + 2


def test_a_rename_that_broke_off_is_finished_and_takes_along_what_came_meanwhile(
    target: Target, put: Callable[..., str], selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(status="ABSTAINED")
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr(Incidents, "give", Mock(side_effect=ZeroDivisionError))
        selfheal("apps", "rename", "orders", "shop", "--yes")
    second = put(2, status="SUPPRESSED")

    assert selfheal("apps", "rename", "orders", "shop", "--yes").exit_code == 0

    assert {one.incident_id for one in target.incidents.every("shop")} == {first, second}
    assert parameters() == {ENTRY} | SHOPS


@pytest.mark.parametrize(
    "command",
    [
        *(("apps", what, "orders") for what in ("show", "pause", "resume", "remove")),
        ("apps", "rename", "orders", "other", "--yes"),
    ],
    ids=" ".join,
)
def test_whoever_asks_for_a_former_name_is_told_the_one_of_now(
    command: tuple[str, ...], target: Target, selfheal: Selfheal
) -> None:
    selfheal("apps", "rename", "orders", "market", "--yes")
    selfheal("apps", "rename", "market", "shop", "--yes")
    ran = selfheal(*command)
    assert (ran.exit_code, "selfheal apps show shop" in ran.text) == (2, True), ran.text


@pytest.mark.parametrize("command", ["incidents --app orders", "stats --app orders"])
def test_what_is_asked_of_a_former_name_is_asked_of_the_one_of_now(
    command: str, target: Target, selfheal: Selfheal
) -> None:
    selfheal("apps", "rename", "orders", "shop", "--yes")
    ran = selfheal(*command.split())
    assert (ran.exit_code, "the same of that one: --app shop" in ran.text) == (2, True), ran.text


def test_a_former_name_is_configured_by_the_one_of_now(target: Target, selfheal: Selfheal) -> None:
    selfheal("apps", "rename", "orders", "shop", "--yes")
    ran = selfheal("configure", "orders", "--set", "mode=propose")
    assert (ran.exit_code, "orders was renamed to shop" in ran.text) == (2, True), ran.text
    for then in ("selfheal configure shop --set", "selfheal apps remove shop"):
        assert then in ran.text


@pytest.mark.parametrize("new", ["Shop!", "more"])
def test_nobody_is_asked_about_a_rename_that_cannot_be(new: str, target: Target, selfheal: Selfheal) -> None:
    registering(target, replace(APP, name="more", log_groups=("/aws/lambda/more",), approvers=()))
    ran = selfheal("apps", "rename", "orders", new, stdin="y\n")
    assert ran.exit_code in (1, 2)
    assert "with all its incidents?" not in ran.text


def test_an_incident_is_found_by_its_app_s_name_of_now_and_of_an_old_mail(
    target: Target, put: Callable[..., str], selfheal: Selfheal
) -> None:
    mine, another = put(status="ABSTAINED"), put(app="alpha")
    selfheal("apps", "rename", "orders", "shop", "--yes")
    assert target.incident(mine).incident_id == mine
    assert target.incident(mine.replace("orders", "shop")).incident_id == mine
    with pytest.raises(UserError) as error:
        target.incident(mine.replace("orders", "nobody"))
    assert f"{another}, {mine}" in error.value.what


def test_a_former_name_is_nobody_else_s_until_the_app_is_removed(target: Target, selfheal: Selfheal) -> None:
    other = replace(APP, log_groups=("/aws/lambda/more",))
    selfheal("apps", "rename", "orders", "shop", "--yes")
    with pytest.raises(UserError, match="what shop was called before"):
        registering(target, other)
    selfheal("apps", "rename", "shop", "orders", "--yes")
    assert managing.find(target, "orders").first_name == ""
    assert target.registry.renamed() == {"shop": "orders"}
    selfheal("apps", "remove", "orders", "--yes")
    assert parameters() == set()
    registering(target, other)


SHOPS = {f"/self-heal/{kind}/shop" for kind in ("apps", "credentials", "webhooks")}
EVERY_SECRET = AppSecrets(**{one.name: "s3cret" for one in fields(AppSecrets)})


def test_no_secret_is_lost_by_a_new_name_or_left_by_a_removal(target: Target, selfheal: Selfheal) -> None:
    registering(target, replace(APP, model="m", model_url="https://models.example.com/v1"), EVERY_SECRET)
    kept = parameters()
    assert len(kept) == 1 + len(fields(AppSecrets))

    assert selfheal("apps", "rename", "orders", "shop", "--yes").exit_code == 0

    assert parameters() == {ENTRY} | {name.replace("orders", "shop") for name in kept}
    renamed, registry = managing.find(target, "shop"), target.registry
    kinds = (registry.credentials, registry.signing_key, registry.deploy_key, registry.model_key)
    assert [secret(renamed) for secret in kinds] == ["s3cret"] * len(kinds)
    assert selfheal("apps", "remove", "shop", "--yes").exit_code == 0
    assert parameters() == set()


def test_what_was_left_half_encrypted_does_not_come_back_under_its_old_name(
    target: Target, selfheal: Selfheal
) -> None:
    boto3.client("ssm").put_parameter(
        Name=f"{ENTRY}.rewriting", Value=json.dumps(APP.stated()), Type="SecureString"
    )
    assert selfheal("apps", "rename", "orders", "shop", "--yes").exit_code == 0
    assert list(target.registry.entries()) == ["shop"]


def test_what_joined_an_incident_stays_joined_under_the_new_name(
    target: Target, put: Callable[..., str], selfheal: Selfheal
) -> None:
    root, other = put(status="PR_OPEN"), put(2, status="JOINED")
    table = boto3.resource("dynamodb").Table(target.output("IncidentsTable"))
    for incident_id, field, value in ((root, "joined", [other]), (other, "joined_to", root)):
        table.update_item(
            Key={"incident_id": incident_id},
            UpdateExpression="SET #f = :v",
            ExpressionAttributeNames={"#f": field},
            ExpressionAttributeValues={":v": value},
        )

    assert selfheal("apps", "rename", "orders", "shop", "--yes").exit_code == 0

    (joined,) = target.incidents.joined_with(target.incidents.get(root), 9)
    assert (joined.incident_id, joined.app) == (other, "shop")


def test_pause_and_resume_say_what_was_recorded_in_the_meantime(
    target: Target, put: Callable[..., str], selfheal: Selfheal
) -> None:
    assert selfheal("apps", "pause", "orders").exit_code == 0
    assert managing.find(target, "orders").paused
    put(status="SUPPRESSED", reason="orders is paused")
    put(2, status="SUPPRESSED")
    shown = selfheal("apps", "list", "--json").document
    assert shown["apps"] == [shown["apps"][0] | {"app": "orders", "paused": True, "incidents": 2, "open": 0}]

    resumed = selfheal("apps", "resume", "orders")

    assert not managing.find(target, "orders").paused
    said = resumed.stdout.splitlines()[-1]
    assert said.startswith("Recorded in the meantime: 1.")
    assert said.endswith("selfheal retry --app orders --status SUPPRESSED --search paused")  # on one line
    assert selfheal("apps", "show", "ordres").exit_code == 2
    assert "temperature" not in selfheal("apps", "show", "orders").text, "the model's own, unless it is said"
    write_entry(target, replace(managing.find(target, "orders"), temperature=0.5))
    assert "temperature 0.5" in selfheal("apps", "show", "orders").text


def test_a_broken_entry_is_listed_with_what_is_wrong_and_can_be_removed(
    target: Target, selfheal: Selfheal
) -> None:
    boto3.client("ssm").put_parameter(Name=f"{DEFAULT.registry}/broken", Value="{", Type="SecureString")
    assert "not JSON" in selfheal("apps", "list").text
    assert "selfheal apps remove broken" in selfheal("apps", "show", "broken").text
    assert selfheal("apps", "remove", "broken", "--yes").exit_code == 0
    assert parameters() >= {"/self-heal/apps/orders"}
    assert f"{DEFAULT.registry}/broken" not in parameters()


@pytest.fixture
def in_plain_text(target: Target, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The entry as an earlier version wrote it. Returns how long its name was left free, each time."""
    ssm, slept = boto3.client("ssm"), list[float]()
    ssm.delete_parameter(Name=ENTRY)
    ssm.put_parameter(Name=ENTRY, Value=json.dumps(APP.stated()), Type="String")

    def sleep(seconds: float) -> None:
        assert target.registry.app("orders") == APP, "functions read it meanwhile"
        slept.append(seconds)

    monkeypatch.setattr("infra.registration.sleep", sleep)
    return slept


def type_of_entry() -> str:
    rows = boto3.client("ssm").get_parameters_by_path(Path=DEFAULT.registry)["Parameters"]
    assert [row["Name"] for row in rows] == [ENTRY]
    return rows[0]["Type"]


@pytest.mark.parametrize("command", [("apps", "encrypt"), ("apps", "resume", "orders")])
def test_an_entry_in_plain_text_is_named_and_encrypted_by_whatever_writes_it(
    command: tuple[str, ...], target: Target, in_plain_text: list[float], selfheal: Selfheal
) -> None:
    assert not_encrypted(target) == ["orders"]
    assert selfheal(*command).exit_code == 0
    assert type_of_entry() == "SecureString"
    assert target.registry.app("orders") == APP
    assert selfheal("apps", "encrypt", "--json").document["encrypted"] == []
    assert in_plain_text == [30]


def test_where_the_functions_are_too_old_to_read_it_nothing_is_encrypted(
    target: Target, in_plain_text: list[float]
) -> None:
    del target.outputs["EntriesKeyArn"]
    with pytest.raises(UserError, match="has no output EntriesKeyArn"):
        registering(target, APP, AppSecrets("renewed"))
    with pytest.raises(UserError, match="has no output EntriesKeyArn"):
        put_entry(target, "orders", "{}")
    assert type_of_entry() == "String"
    kept = boto3.client("ssm").get_parameter(Name=f"{DEFAULT.credentials}/orders", WithDecryption=True)
    assert kept["Parameter"]["Value"] == "github.com s3cret"


@pytest.mark.parametrize("call", range(1, 5))
def test_whatever_call_it_dies_at_the_app_stays_and_the_next_time_it_is_encrypted(
    call: int, target: Target, in_plain_text: list[float], monkeypatch: pytest.MonkeyPatch, selfheal: Selfheal
) -> None:
    made: list[str] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def dies(client: Any, operation: str, given: Any) -> Any:
        if operation in ("PutParameter", "DeleteParameter"):
            made.append(operation)
            if len(made) == call:
                raise KeyboardInterrupt
        return original(client, operation, given)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(BaseClient, "_make_api_call", dies)
        put_entry(target, "orders", json.dumps(APP.stated()))
    assert len(made) == call
    assert target.registry.app("orders") == APP
    assert [app.name for app in target.registry.registered()] == ["orders"]
    assert not_encrypted(target) == ["orders"], "which doctor says"
    assert selfheal("apps", "encrypt").exit_code == 0
    assert type_of_entry() == "SecureString"


def test_who_goes_on_with_it_at_once_leaves_the_name_free_for_as_long(
    target: Target, in_plain_text: list[float]
) -> None:
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name=f"{ENTRY}.rewriting", Value=json.dumps(APP.stated()), Type="SecureString")
    ssm.delete_parameter(Name=ENTRY)  # and there it broke off

    put_entry(target, "orders", json.dumps(APP.stated()))

    assert in_plain_text == [30]
    assert type_of_entry() == "SecureString"


def test_what_somebody_else_writes_meanwhile_stays(
    target: Target, in_plain_text: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    later, first = replace(APP, branch="release"), [True]

    def sleep(seconds: float) -> None:
        if first.pop() if first else False:
            put_entry(target, "orders", json.dumps(later.stated()))

    monkeypatch.setattr("infra.registration.sleep", sleep)
    put_entry(target, "orders", json.dumps(APP.stated()))
    assert target.registry.app("orders") == later
    assert type_of_entry() == "SecureString"


def test_an_entry_that_comes_back_between_two_looks_is_found(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssm, text = boto3.client("ssm"), json.dumps(APP.stated())
    ssm.delete_parameter(Name=ENTRY)
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def comes_back(client: Any, operation: str, given: Any) -> Any:
        if operation == "GetParameter" and given["Name"].endswith(".rewriting"):
            ssm.put_parameter(Name=ENTRY, Value=text, Type="SecureString", Overwrite=True)
        return original(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", comes_back)
    assert target.registry.app("orders") == APP


def test_what_is_discovered_while_the_stack_goes_is_removed_too(
    target: Target, selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes(*_: object) -> bool:
        target.registry.keep_discovered(TAGGED)
        return True

    monkeypatch.setattr("infra.rollout.removal.delete_stack", goes)
    place = SimpleNamespace(session=boto3.Session(), outputs=lambda names: {})
    monkeypatch.setattr("infra.cli.deploy.place", lambda local: place)

    ran = selfheal("destroy", "--yes")

    assert (ran.exit_code, parameters()) == (0, set()), ran.text


def test_stop_names_who_and_start_lets_healing_go_on(
    target: Target, put: Callable[..., str], selfheal: Selfheal
) -> None:
    going_on = put(status="HEALING")
    stopped = selfheal("stop", "-m", "a bad model", "--json").document
    assert (stopped["stopped"], stopped["under_way"]) == (True, [going_on])
    value = boto3.client("ssm").get_parameter(Name=DEFAULT.switch)["Parameter"]["Value"]
    assert json.loads(value)["reason"] == "a bad model"
    put(2, status="SUPPRESSED", reason="healing was stopped by ana at 2026-11-20T10:00 UTC")

    started = selfheal("start")

    assert started.exit_code == 0
    assert "Healing goes on" in started.text
    assert "selfheal retry --status SUPPRESSED --search 'healing was stopped'" in started.text
    assert DEFAULT.switch not in parameters()


@pytest.mark.parametrize(
    ("steered", "said"),
    [
        ({"mode": "heal"}, "'mode' must be one of observe, diagnose, propose, pull-request"),
        ({"class_modes": {"codes": "propose"}}, "'codes' is no class"),
        ({"class_modes": {"code": "all"}}, "'code' must be one of"),
        ({"max_heals_at_once": 0}, "'max_heals_at_once' must be from 1 to 50"),
        ({"min_occurrences": 0}, "'min_occurrences' must be from 1"),
    ],
)
def test_an_entry_that_steers_into_nowhere_is_refused(steered: dict[str, Any], said: str) -> None:
    with pytest.raises(AppInvalid, match=said):
        App.from_json("orders", APP.to_json() | steered)


def test_any_field_of_an_entry_can_be_set(
    target: Target, selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.cli.configure.notes_on_models", lambda target, app: [])
    ran = selfheal(
        *("configure", "orders", "--set", "mode=propose", "--set", 'heal_classes=["code","timeout"]'),
        *("--set", "daily_budget_usd=20", "--set", "python=3.12"),
    )
    assert ran.exit_code == 0, ran.text
    app = managing.find(target, "orders")
    assert (app.mode, app.heal_classes, app.daily_budget_usd, app.python) == (
        *("propose", ("code", "timeout"), 20, "3.12"),
    )
    assert selfheal("configure", "orders", "--set", "mode").exit_code == 2
