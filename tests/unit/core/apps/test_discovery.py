"""Which app a function's tags make, and what they cannot bring about."""

from __future__ import annotations

import json
import re

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider

from functions.core.apps.app import App
from functions.core.apps.discovery import NotCovered, Tagged, covers, discover
from functions.core.apps.registry import Registry
from functions.core.workflow.errors import AppInvalid, AppNotRegistered

ENTRY = {
    "repository": "https://github.com/acme/*",
    "branch": "trunk",
    "credentials": "/self-heal/credentials/acme",
    "approvers": ["ana@example.com"],
    "class_modes": {"timeout": "propose"},
}
ACME = App.from_json("acme", ENTRY)
ORDERS = "https://github.com/acme/orders.git"


def tags(repository: str = ORDERS, **others: str) -> dict[str, str]:
    return {"self-heal:repository": repository} | {
        f"self-heal:{name}": value for name, value in others.items()
    }


def found(function: str, said: dict[str, str], *apps: App) -> App:
    discovered = discover(function, said, apps or (ACME,))
    assert discovered
    return discovered[1]


def test_a_function_is_healed_as_its_family_is_in_the_repository_that_its_tag_names() -> None:
    app = found("Orders_API", tags())

    assert re.fullmatch(r"acme\.orders-api-[0-9a-f]{8}", app.name)
    assert app.log_groups == ("/aws/lambda/Orders_API",)
    assert (app.repository, app.branch, app.slug) == (ORDERS, "trunk", "acme/orders")
    assert app.approvers == ACME.approvers
    assert app.mode == "propose", "whoever tags it does not answer for the repository"
    assert not app.is_family


def test_a_family_may_go_further_and_a_tag_only_less_far() -> None:
    further = App.from_json("acme", ENTRY | {"mode": "pull-request"})

    assert found("f", tags(), further).mode == "pull-request"
    lower = found("f", tags(mode="observe"), further)
    assert (lower.mode, lower.class_modes) == ("observe", {"timeout": "observe"})
    assert found("f", tags(mode="pull-request")).mode == "propose"


def test_the_name_says_what_was_said_and_fits_where_names_go() -> None:
    longest = App.from_json("a" * 20, ENTRY | {"credentials": ""})
    names = [
        found(function, said, ACME).name
        for function, said in (
            ("orders", tags()),
            ("Orders", tags()),
            ("orders", tags(ORDERS.removesuffix(".git"))),
            ("orders", tags(branch="next")),
            ("_" * 64, tags()),
        )
    ]

    assert len(set(names)) == 5
    assert found("orders", tags(mode="observe")).name == names[0], "incidents stay the app's own"
    assert len(found("x" * 64, tags(), longest).name) <= 40
    assert all(re.fullmatch(r"acme\.[a-z0-9-]{8,}", name) and len(name) <= 40 for name in names)


@pytest.mark.parametrize(
    "said",
    [
        tags("https://github.com/other/orders.git"),
        tags("https://evil.example/acme/orders.git"),
        tags("https://github.com/acme/"),
        tags("https://github.com/acme/*"),
        tags("https://github.com/acme/.."),
        tags("https://github.com/acme/...git"),
        tags("https://github.com/acme/../other/orders.git"),
        tags("https://github.com/acme/group/orders.git"),
        tags("https://github.com/acme/orders.git?x=1"),
        tags("https://github.com/acme/orders\n.git"),
        tags("https://me@github.com/acme/orders.git"),
        tags("http://github.com/acme/orders.git"),
        tags("https://GITHUB.com/acme/orders.git"),
        tags(branch="--upload-pack=x"),
        tags(branch="a..b"),
        tags(branch="a b"),
        tags(branch="x.lock"),
        tags(branch="/x"),
        tags(mode="all"),
    ],
    ids=str,
)
def test_what_no_family_covers_or_is_no_name_makes_no_app(said: dict[str, str]) -> None:
    with pytest.raises(NotCovered):
        discover("orders", said, [ACME])


def test_without_the_tag_nothing_is_said() -> None:
    assert discover("orders", {"self-heal:mode": "observe", "team": "x"}, [ACME]) is None
    assert discover("orders", tags(" "), [ACME]) is None


def test_a_service_is_no_family() -> None:
    service = App.from_json("orders", {"log_groups": ["/x"], "repository": ORDERS})

    assert not covers(service, ORDERS)
    with pytest.raises(NotCovered):
        discover("orders", tags(), [service])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"repository": "https://github.com/*"}, "behind an owner"),
        ({"repository": "https://*/acme/*"}, "behind an owner"),
        ({"repository": "https://github.com/acme/x-*"}, "behind an owner"),
        ({"repository": "https://github.com/acme/*", "log_groups": ["/x"]}, "no 'log_groups'"),
    ],
)
def test_a_family_is_of_one_owner_and_watches_nothing_itself(entry: dict[str, object], said: str) -> None:
    with pytest.raises(AppInvalid, match=said):
        App.from_json("acme", entry)


def test_a_familys_name_leaves_room_for_its_functions() -> None:
    with pytest.raises(AppInvalid, match="at most 20"):
        App.from_json("a" * 21, {"repository": "https://github.com/acme/*"})


@pytest.fixture
def registry(aws: None) -> Registry:
    ssm = boto3.client("ssm")
    for name, value in (
        ("apps/acme", json.dumps(ENTRY)),
        ("credentials/acme", "github.com token"),
        ("credentials/orders", "github.com another"),
    ):
        ssm.put_parameter(Name=f"/self-heal/{name}", Value=value, Type="SecureString")
    return Registry("/self-heal/apps", SSMProvider(boto3_client=ssm))


def kept(registry: Registry, **fields: str) -> Tagged:
    tagged = Tagged(**({"name": "acme.orders-1", "function": "orders", "repository": ORDERS} | fields))
    registry.keep_discovered(tagged)
    return tagged


def test_every_step_finds_it_by_its_name_as_the_family_is_now(registry: Registry) -> None:
    tagged = kept(registry, mode="diagnose")
    kept(registry, mode="diagnose")

    assert registry.discovered(tagged.name) == tagged
    assert registry.app(tagged.name).mode == "diagnose"
    assert [app.name for app in registry.apps()] == ["acme", tagged.name]
    assert [app.name for app in registry.registered()] == ["acme"]
    paused = json.dumps(ENTRY | {"paused": True})
    boto3.client("ssm").put_parameter(Name="/self-heal/apps/acme", Value=paused, Overwrite=True)
    assert registry.app(tagged.name).paused


def test_its_secrets_are_its_familys_whatever_its_tags_say(registry: Registry) -> None:
    """A tag that names `orders` gives it neither that app's token nor its name."""
    tagged = kept(registry, name="acme.orders-1")

    assert registry.credentials(registry.app(tagged.name)) == "token"
    with pytest.raises(AppNotRegistered):
        registry.app("orders")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repository": "https://github.com/other/x.git"}, "no repository of"),
        ({"branch": "-x"}, "no name of a branch"),
        ({"mode": "everything"}, "no mode"),
    ],
)
def test_what_is_kept_counts_only_while_the_family_covers_it(
    registry: Registry, fields: dict[str, str], said: str
) -> None:
    """Whoever could write it down could still not reach another repository with the family's token."""
    tagged = kept(registry, **fields)

    with pytest.raises(AppInvalid, match=said):
        registry.app(tagged.name)
    assert isinstance(registry.entries()[tagged.name], AppInvalid)


def test_without_its_family_or_what_was_kept_there_is_no_app(registry: Registry) -> None:
    with pytest.raises(AppNotRegistered, match="has been removed"):
        registry.app("acme.gone-1")
    kept(registry, name="other.orders-1")
    with pytest.raises(AppNotRegistered, match="selfheal configure other"):
        registry.app("other.orders-1")
    assert isinstance(registry.entries()["other.orders-1"], AppInvalid)
    assert [app.name for app in registry.apps()] == ["acme"], "the others are not hurt"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"function": "f"}', '{"function": "f", "repository": "r", "x": 1}']
)
def test_what_is_kept_and_broken_says_so(text: str) -> None:
    with pytest.raises(AppInvalid, match=r"acme\.x"):
        Tagged.from_text("acme.x", text)
