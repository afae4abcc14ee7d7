"""`configure`: what it asks, what it checks, and how it registers many apps at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from pytest_httpserver import HTTPServer

from functions.core.apps.app import App
from functions.core.forge.deploy_key import DeployKey
from infra.cli import questions, wizard
from infra.cli.offers import changed_fields, offer
from infra.doctor.forge import ForgeSeen
from infra.names import DEFAULT
from infra.target import Target
from tests.fakes.ssh import new_key
from tests.unit.cli.conftest import Selfheal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

GROUPS = ("/aws/lambda/Orders_API", "/aws/lambda/billing", "/aws/lambda/full")
REPOSITORY = "https://github.com/shop/orders.git"


@pytest.fixture
def target(incidents_table: Table, deliveries_table: Table) -> Target:
    """A stack as far as registering needs it, with log groups, of which one has no room."""
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    detect = boto3.client("lambda").create_function(
        FunctionName="detect", Role=role, Runtime="python3.12", Handler="x.y", Code={"ZipFile": b"x"}
    )["FunctionArn"]
    logs = boto3.client("logs")
    for group in GROUPS:
        logs.create_log_group(logGroupName=group)
    for name in ("one", "two"):
        logs.put_subscription_filter(
            logGroupName="/aws/lambda/full", filterName=name, filterPattern="", destinationArn=detect
        )
    outputs = {
        "IncidentsTable": incidents_table.name,
        "DeliveriesTable": deliveries_table.name,
        "DataKeyArn": (key := boto3.client("kms").create_key()["KeyMetadata"]["Arn"]),
        "EntriesKeyArn": key,
        "DetectErrorsArn": detect,
        "PersonalTopicArn": boto3.client("sns").create_topic(Name="personal")["TopicArn"],
    }
    return Target(boto3.Session(), outputs, local=True)


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that knows a repository, the branches main and next, the reviewer ben, a token, and any key."""

    def look(app: App, token: str, flag: str, key: DeployKey | None = None) -> ForgeSeen:
        if token != "right":
            return ForgeSeen(app, flag, refused="401: the token is refused")
        if key:
            assert key.url == "ssh://git@github.com:22/shop/orders.git"
        strangers = [one for one in app.reviewers if one != "ben"]
        return ForgeSeen(app, flag, has_branch=app.branch in ("main", "next"), strangers=strangers)

    monkeypatch.setattr("infra.doctor.forge.look", look)


def entries() -> dict[str, Any]:
    found = boto3.client("ssm").get_parameters_by_path(Path=DEFAULT.registry, WithDecryption=True)[
        "Parameters"
    ]
    return {row["Name"].rsplit("/", 1)[1]: json.loads(row["Value"]) for row in found}


def subscribed() -> list[str]:
    logs = boto3.client("logs")
    return [
        group
        for group in GROUPS
        for one in logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        if one["filterName"] == DEFAULT.filter
    ]


def test_it_asks_checks_each_answer_and_shows_what_it_writes(
    target: Target, forge: None, selfheal: Selfheal, tmp_path: Path
) -> None:
    files = {name: tmp_path / name for name in ("deploy", "signing", "weak")}
    for name, file in files.items():
        file.write_text(new_key("ecdsa" if name == "weak" else "ed25519"))
    secret = tmp_path / "slack"
    secret.write_text("8f742231b10e8888abcd99yyyzzz85a5\n")
    said = {
        "/aws/lambda/gone": "does not exist here",
        "/aws/lambda/self-heal-runner": "belongs to this system",
        "/aws/lambda/full": "has two filters already",
        "/aws/lambda/Orders_API, /aws/lambda/billing": "",
        "Not A Name": "",
        "": "",
        "git@github.com:shop/orders": "the https one is https://github.com/shop/orders",
        REPOSITORY: "",
        "wrong": "the forge refuses it",
        "right": "",
        "nowhere": "has no branch nowhere",
        "next": "",
        "/no/such/key": "No such file",
        f"{files['deploy']}": "",
        f"{files['weak']}": "a key of another kind",
        f"{files['signing']}": "",
        "Shop Bot": "'commit_author' must be like",
        "Shop Bot <bot@shop.example>": "",
        # The region's default model.
        " ": "",
        "ana@shop.example slack:bad": "slack:bad is no Slack user's id",
        "ana": "ana is no mail address, IAM ARN or slack:ID; where people sign in",
        "ana@shop": "ana@shop is no mail address",
        "arn:aws:iam::123456789012:group/ops": "is no ARN of an IAM user, role or session",
        "arn:aws:iam::123456789012:user/gone": "there is no such user or role",
        "ana@shop.example Ana+2@shop.example": "are one person",
        "ana@shop.example slack:U012AB3CD": "",
        "/no/such/secret": "No such file or directory",
        f"{secret}": "",
        "eve": "no collaborators: eve",
        "ben": "",
        "y": "",
    }

    ran = selfheal("configure", stdin="\n".join(said) + "\n")

    assert ran.exit_code == 0, ran.text
    for problem in filter(None, said.values()):
        assert problem in ran.text
    assert entries() == {
        "orders-api": {
            "log_groups": ["/aws/lambda/Orders_API", "/aws/lambda/billing"],
            "repository": REPOSITORY,
            "branch": "next",
            "approvers": ["ana@shop.example", "slack:U012AB3CD"],
            "slack_buttons": True,
            "reviewers": ["ben"],
            "credentials": f"{DEFAULT.credentials}/orders-api",
            "deploy_key": True,
            "signed_commits": True,
            "commit_author": "Shop Bot <bot@shop.example>",
        }
    }
    app = target.registry.app("orders-api")
    assert target.registry.deploy_key(app) == files["deploy"].read_text().strip()
    assert target.registry.signing_key(app) == files["signing"].read_text().strip()
    assert "PRIVATE KEY" not in ran.text
    assert subscribed() == ["/aws/lambda/Orders_API", "/aws/lambda/billing"]
    assert "right" not in ran.text.split("Token that may")[1], "what is typed as a token is not shown"


@pytest.fixture
def tagged(aws: None) -> None:
    """Functions whose tags say which repository is theirs."""
    role = boto3.client("iam").create_role(RoleName="tagged", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    for name, repository in {
        "rates": "https://github.com/Acme/rates.git",
        "quotes": "https://github.com/Acme/quotes",
        "theirs": "https://github.com/others/theirs",
    }.items():
        boto3.client("lambda").create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="x.y",
            Code={"ZipFile": b"x"},
            Tags={"self-heal:repository": repository},
        )


def test_where_all_log_groups_are_delivered_a_family_is_asked_for_with_what_is_tagged_for_it(
    target: Target, tagged: None, forge: None, selfheal: Selfheal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "subscribes_to_all", property(lambda self: True))
    said = {
        "": "",
        "https://github.com/acme/rates": "write https://HOST/OWNER/*",
        "https://github.com/Acme/*": "2 functions are tagged for it: quotes, rates",
        "acme": "",
        "wrong": "the forge refuses it",  # for the repository of one that is tagged
        "right": "",
    }
    answers = [*said, *[""] * 6, "y"]

    ran = selfheal("configure", stdin="\n".join(answers) + "\n")

    assert ran.exit_code == 0, ran.text
    for told in filter(None, ("Short name of the app [acme]", *said.values())):
        assert told in ran.text
    assert entries() == {
        "acme": {
            "log_groups": [],
            "repository": "https://github.com/Acme/*",
            "credentials": f"{DEFAULT.credentials}/acme",
        }
    }
    assert target.registry.app("acme").is_family
    assert subscribed() == []


def test_families_are_completed_from_what_is_tagged(target: Target, tagged: None) -> None:
    question = next(one for one in questions.QUESTIONS if one.field == "repository")
    draft = questions.Draft(target)
    assert question.offers
    assert question.when(draft)
    assert question.offers(draft, "https://") == ["https://github.com/Acme/*", "https://github.com/others/*"]
    assert question.default(draft) == "https://github.com/Acme/*"


def test_without_all_log_groups_a_family_is_told_what_it_needs(
    target: Target, forge: None, selfheal: Selfheal
) -> None:
    ran = selfheal("configure", stdin="\n/aws/lambda/billing\n")
    assert "name one at least" in ran.text
    assert "a tag says" not in ran.text
    assert ("selfheal deploy" in ran.text) is not target.local
    assert (ran.exit_code, "nobody answered, and nothing was written" in ran.text) == (1, True)
    assert "selfheal configure NAME --log-group" in ran.text


def test_nothing_is_written_unless_it_is_confirmed(target: Target, forge: None, selfheal: Selfheal) -> None:
    answers = ("/aws/lambda/billing", "billing", REPOSITORY, "right", "", "", "", "", "", "", "n")

    ran = selfheal("configure", stdin="\n".join(answers) + "\n")

    assert ran.exit_code == 1
    assert "This is written to /self-heal/apps/billing" in ran.text
    assert (entries(), subscribed()) == ({}, [])


def test_an_answer_that_shows_another_to_be_wrong_can_be_gone_back_from(
    target: Target, monkeypatch: pytest.MonkeyPatch, selfheal: Selfheal
) -> None:
    def look(app: App, token: str, flag: str, key: DeployKey | None = None) -> ForgeSeen:
        return ForgeSeen(app, flag, hidden="" if app.slug == "shop/orders" and token else "not found")

    monkeypatch.setattr("infra.doctor.forge.look", look)
    answers = ("<", "/aws/lambda/billing", "", "https://github.com/shop/ordres", "", "right", "<", REPOSITORY)

    ran = selfheal("configure", stdin="\n".join((*answers, "right", *[""] * 6, "y")) + "\n")

    assert ran.exit_code == 0, ran.text
    assert ran.text.count("the forge shows no such repository") == 2, "of none, and of one"
    assert entries()["billing"]["repository"] == REPOSITORY


def test_going_back_leads_from_a_family_to_log_groups_and_to_a_family_again(
    target: Target, monkeypatch: pytest.MonkeyPatch, selfheal: Selfheal, forge: None
) -> None:
    target.outputs["AccountPolicy"] = "self-heal"
    family, group = "https://github.com/acme/*", "/aws/lambda/billing"
    to_group = ("", family, "<", "<", group, "<", group, "", "<", "", REPOSITORY)
    ran = selfheal("configure", stdin="\n".join((*to_group, "right", *[""] * 6, "y")) + "\n")
    assert ran.exit_code == 0, ran.text
    found = entries()["billing"]
    assert (found["log_groups"], found["repository"]) == ([group], REPOSITORY)

    to_family = (group, "billing2", REPOSITORY, "<", "<", "<", "", family, "acme")
    ran = selfheal("configure", stdin="\n".join((*to_family, "right", *[""] * 6, "y")) + "\n")
    assert ran.exit_code == 0, ran.text
    found = entries()["acme"]
    assert (found.get("log_groups", []), found["repository"]) == ([], family)


def test_who_goes_back_and_signs_nothing_has_no_author(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(("key", "Ana <ana@example.com>", "<", "<", "", "<", "", *[""] * 9))
    steps = [
        one for one in questions.QUESTIONS if one.field in ("signing_key_file", "commit_author", "model")
    ]
    monkeypatch.setattr(wizard, "QUESTIONS", [replace(one, check=lambda draft, said: "") for one in steps])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(answers))
    draft = wizard.ask(target)
    assert (draft.files, draft.entry) == ({}, {})


def test_an_answer_that_is_taken_back_leaves_nothing(target: Target, forge: None) -> None:
    draft = questions.Draft(target, {"model": "one", "log_groups": ["/aws/lambda/billing"]})
    (model,) = [one for one in questions.QUESTIONS if one.field == "model"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.prompt", lambda *_, **__: "")
        assert wizard._answer(draft, model)
    assert "model" not in draft.entry


def test_classes_that_do_not_exist_are_refused_with_the_nearest(target: Target, selfheal: Selfheal) -> None:
    app = ("--log-group", "/aws/lambda/billing", "--repository", REPOSITORY)
    ran = selfheal("configure", "orders", *app, "--set", 'heal_classes=["cod"]')
    assert ran.exit_code == 2
    assert "no class of errors 'cod'" in ran.text
    assert "did you mean code?" in ran.text


def test_log_groups_are_completed_from_the_account(target: Target) -> None:
    (groups,) = [question for question in questions.QUESTIONS if question.field == "log_groups"]
    assert groups.offers

    assert groups.offers(questions.Draft(target), "/aws/lambda/b") == ["/aws/lambda/billing"]


APPS = """
# The shop's services.
[orders]
log_groups = ["/aws/lambda/Orders_API"]
repository = "https://github.com/shop/orders.git"
token_file = "token"     # beside this file
mode = "diagnose"

[billing]
log_groups = ["/aws/lambda/billing"]
repository = "https://github.com/shop/billing.git"
max_heals_at_once = 2
"""


def test_a_file_registers_many_apps_and_never_asks(
    target: Target, selfheal: Selfheal, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "apps.toml").write_text(APPS)

    ran = selfheal("configure", "--file", str(tmp_path / "apps.toml"))

    assert ran.exit_code == 0, ran.text
    assert "selfheal doctor orders --local" in ran.text, "a token was given, which was not tried"
    assert "selfheal doctor billing" not in ran.text
    found = entries()
    assert found["orders"]["mode"] == "diagnose"
    assert (found["billing"]["max_heals_at_once"], "credentials" in found["billing"]) == (2, False)
    assert subscribed() == ["/aws/lambda/Orders_API", "/aws/lambda/billing"]
    token = boto3.client("ssm").get_parameter(Name=f"{DEFAULT.credentials}/orders", WithDecryption=True)
    assert token["Parameter"]["Value"] == "github.com s3cret"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ('mode = "diagnose"', 'mode = "faster"'),
        ("max_heals_at_once = 2", "max_heals_at_once = 2\nnonsense = 1"),
        ('token_file = "token"', 'token_file = "nowhere"'),
        ("[billing]", "[["),
        ("max_heals_at_once = 2", 'approvers = ["ana@shop.example", "Ana+2@Shop.example."]'),
        ("max_heals_at_once = 2", 'approvers = ["ana@"]'),
        ("max_heals_at_once = 2", 'approvers = ["arn:aws:iam::123456789012:group/ops"]'),
        ("max_heals_at_once = 2", 'approvers = ["ana@shop.example", " ana@shop.example"]'),
    ],
)
def test_one_that_is_wrong_keeps_all_of_them_out(
    changed: str, problem: str, target: Target, selfheal: Selfheal, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "apps.toml").write_text(APPS.replace(changed, problem))

    ran = selfheal("configure", "--file", str(tmp_path / "apps.toml"))

    assert ran.exit_code == 2
    assert (entries(), subscribed()) == ({}, [])


@pytest.mark.parametrize("text", ["nonsense", "[1]"])
def test_a_file_that_is_no_entry_is_told_what_one_is(
    text: str, target: Target, selfheal: Selfheal, tmp_path: Path
) -> None:
    (tmp_path / "entry.json").write_text(text)
    ran = selfheal("configure", "billing", "--file", str(tmp_path / "entry.json"))
    assert (ran.exit_code, "next: give fields of the entry, as JSON" in ran.text) == (2, True)


@pytest.mark.parametrize(
    ("group", "problem"), [("gone", "does not exist"), ("full", "has two subscription filters already")]
)
def test_so_does_a_log_group_that_cannot_be_watched(
    group: str, problem: str, target: Target, selfheal: Selfheal, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "apps.toml").write_text(APPS.replace("/aws/lambda/billing", f"/aws/lambda/{group}"))

    ran = selfheal("configure", "--file", str(tmp_path / "apps.toml"))

    assert (ran.exit_code, problem in ran.text) == (1, True), ran.text
    assert (entries(), subscribed()) == ({}, [])


def test_a_field_that_does_not_exist_is_answered_with_the_nearest(target: Target, selfheal: Selfheal) -> None:
    given = ("configure", "billing", "--log-group", "/aws/lambda/billing", "--repository", REPOSITORY)
    assert "did you mean 'quiet_hours'?" in selfheal(*given, "--set", "quiet_hour=22:00-07:00").text
    assert "known: allowed_paths," in selfheal(*given, "--set", "zzz=1").text


def test_options_without_a_name_are_for_no_app(target: Target, selfheal: Selfheal) -> None:
    assert selfheal("configure", "--branch", "next").exit_code == 2


def test_a_key_that_signs_commits_is_kept_beside_the_token_and_another_is_refused(
    target: Target, selfheal: Selfheal, tmp_path: Path
) -> None:
    given = ("configure", "billing", "--log-group", "/aws/lambda/billing", "--repository", REPOSITORY)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(new_key())
    bad.write_text(new_key("ecdsa"))
    refused = selfheal(*given, "--signing-key-file", str(bad))
    assert (refused.exit_code, "ssh-keygen -t ed25519" in refused.text) == (2, True)
    assert entries() == {}

    ran = selfheal(*given, "--signing-key-file", str(good))

    assert ran.exit_code == 0, ran.text
    app = target.registry.app("billing")
    assert app.signed_commits
    assert target.registry.signing_key(app) == good.read_text().strip()


def test_a_server_of_ones_own_is_named_with_its_key_and_asked_for_its_models(
    target: Target, selfheal: Selfheal, tmp_path: Path, httpserver: HTTPServer
) -> None:
    known = httpserver.expect_request("/v1/models", headers={"Authorization": "Bearer k-1"})
    known.respond_with_json({"data": [{"id": "qwen"}]})
    key = tmp_path / "key"
    key.write_text("k-1\n")
    given = ("configure", "billing", "--log-group", "/aws/lambda/billing", "--repository", REPOSITORY)
    refused = selfheal(*given, "--model-key-file", str(key))
    assert (refused.exit_code, "--model-url" in refused.text) == (2, True)
    assert entries() == {}

    url = httpserver.url_for("")
    ran = selfheal(*given, "--model-url", url, "--model", "llama", "--model-key-file", str(key))

    assert ran.exit_code == 0, ran.text
    app = target.registry.app("billing")
    assert (app.model_url, app.model_key, target.registry.model_key(app)) == (url, True, "k-1")
    assert "k-1" not in json.dumps(entries())
    said = " ".join(ran.text.split())
    assert f"llama: {url} has qwen, not this one" in said
    assert "llama: its price is not known" in said


def test_a_deploy_key_is_kept_for_its_host_and_one_that_is_none_is_refused(
    target: Target, selfheal: Selfheal, tmp_path: Path
) -> None:
    given = ("configure", "billing", "--log-group", "/aws/lambda/billing", "--repository")
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(new_key())
    bad.write_text("a token")
    refused = selfheal(*given, REPOSITORY, "--deploy-key-file", str(bad))
    assert (refused.exit_code, "ssh-keygen" in refused.text) == (2, True)
    own = "https://git.shop.example/shop/orders.git"
    unknown = selfheal(*given, own, "--deploy-key-file", str(good))
    assert (unknown.exit_code, "'ssh_host_keys'" in unknown.text) == (2, True)
    assert entries() == {}

    assert selfheal(*given, REPOSITORY, "--deploy-key-file", str(good)).exit_code == 0

    app = target.registry.app("billing")
    assert target.registry.deploy_key(app) == good.read_text().strip()
    name = target.registry.deploy_key_parameter("billing")
    kept = boto3.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (kept["Type"], kept["Value"].partition(" ")[0]) == ("SecureString", "github.com")


def test_an_entry_says_what_is_not_as_it_comes(target: Target, selfheal: Selfheal) -> None:
    """So an older stack reads what a newer command writes, as long as nothing newer is asked for."""
    given = ("configure", "billing", "--log-group", "/aws/lambda/billing", "--repository", REPOSITORY)
    assert selfheal(*given, "--branch", "main", "--set", "mode=propose").exit_code == 0
    assert entries()["billing"] == {
        "log_groups": ["/aws/lambda/billing"],
        "repository": REPOSITORY,
        "mode": "propose",
    }


def test_a_change_offers_to_go_on_with_what_it_may_help_and_not_with_what_people_rejected(
    target: Target, put: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = ("ABSTAINED", "ABSTAINED", "REJECTED", "FAILED", "PR_OPEN", "SUPPRESSED", "PROPOSED")
    for number, status in enumerate(statuses):
        put(number, status=status)
    put(8, status="SUPPRESSED", error_class="configuration")
    app = App("orders", ("/aws/lambda/orders",), REPOSITORY)
    changes: tuple[tuple[dict[str, Any], list[int]], ...] = (
        ({"model": "another"}, [0, 1]),
        ({"mode": "propose"}, [0, 1, 5, 6]),
        ({"storm_after": 3}, [5]),
        ({"quiet_hours": "22:00-07:00"}, []),
    )
    for change, again in changes:
        offer(target, app, changed_fields(app, replace(app, **change)))
        said = capsys.readouterr()
        named = [f"retry {' '.join(f'orders-v1-{n:05}' for n in again)} --local"] if again else []
        assert [line.partition("selfheal ")[2] for line in (said.out + said.err).splitlines()] == [
            *named,
            "redrive --failed --app orders --local",
        ], change
    for number in range(9, 14):
        put(number, status="ABSTAINED")
    offer(target, app, frozenset({"model"}))
    assert "retry --app orders --status ABSTAINED --local" in capsys.readouterr().out
