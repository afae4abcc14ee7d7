"""A deployment to which all log groups of the account are delivered, with a canary."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.apps.app import App
from functions.core.incidents.incident import Status
from functions.detect_errors.step import REST_SECONDS
from infra.cli.connect import Place
from infra.local import emulator
from infra.names import Names
from infra.packaging import ROOT
from infra.registration import AppSecrets, register
from tests.e2e.conftest import BUGGY, CRASH, TOKEN
from tests.e2e.inventory import inventory

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

SELFHEAL = str(Path(sys.executable).with_name("selfheal"))
ALL = Names("all")
Selfheal = Callable[..., subprocess.CompletedProcess[str]]
WATCHED: set[str] = set()
"""Names of what the tests have made, as a team would."""


@pytest.fixture(scope="module")
def selfheal(shared_world: World) -> Selfheal:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [SELFHEAL, *arguments, "--local", "--stage", ALL.stage]
        folder = Path(shared_world.run.home).parent
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def deployed(shared_world: World, selfheal: Selfheal) -> Iterator[World]:
    """The deployment, and the system as it is seen from it."""
    session = shared_world.run.session()
    client: Callable[[str], Any] = session.client  # type: ignore[assignment]  # of any service
    before = inventory(client)
    chosen = ("subscribe=account", "canary=canary", "build_image=aws/codebuild/standard:7.0")
    done = selfheal("deploy", "--yes", *(word for each in chosen for word in ("-c", each)))
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = Place(session, emulator.environment(shared_world.run.endpoint)).outputs(ALL)
    other = replace(shared_world, _clients={})
    other.__dict__["target"] = shared_world.run.target(ALL, outputs)
    yield other
    done = selfheal("destroy", "--data", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    left = {row for row in inventory(client) - before if row.rsplit(": ", 1)[1] not in WATCHED}
    assert left == set(), "nothing but the services that were watched, which stay"


@pytest.fixture
def everything(world: World, deployed: World) -> World:
    """The same, with the forge in good health."""
    return deployed


def function(world: World, name: str, **tags: str) -> None:
    """A Lambda function with its log group."""
    WATCHED.add(name)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", "")
    role = world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    world.client("lambda").create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.12",
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Tags={f"self-heal:{tag}": value for tag, value in tags.items()},
    )
    group(world, f"/aws/lambda/{name}")


def group(world: World, name: str) -> None:
    WATCHED.add(name)
    world.client("logs").create_log_group(logGroupName=name)
    world.client("logs").create_log_stream(logGroupName=name, logStreamName="stream")


def log(world: World, name: str, text: str = CRASH) -> None:
    event = {"timestamp": int(time.time() * 1000), "message": text}
    world.client("logs").put_log_events(logGroupName=name, logStreamName="stream", logEvents=[event])


def invocations(world: World) -> int:
    """How often detect_errors ran."""
    events = world.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{ALL.function('detect_errors')}", filterPattern='"START RequestId"'
    )
    return len(events["events"])


def test_a_tagged_function_is_healed_without_an_entry_and_nobody_elses_log_is_kept(
    everything: World, selfheal: Selfheal
) -> None:
    world = everything
    source = world.sources / "checkout"
    source.mkdir()
    (source / "rates.py").write_text(BUGGY)
    world.forge.create_repository("shop/checkout", source, private=True)
    repositories = f"{world.forge.url}/shop/*"
    entry = {"repository": repositories, "forge_api": world.forge.api_url, "packages": ["rates"]}
    register(world.target, App.from_json("shop", entry), AppSecrets(TOKEN))
    central = "/222222222222/aws/lambda/billing"
    for name in (central, "/ecs/others"):
        group(world, name)
    billing = {
        "repository": f"{world.forge.url}/shop/checkout.git",
        "log_groups": [central],
        "mode": "observe",
    }
    registered = App.from_json("billing", entry | billing)
    register(world.target, registered, AppSecrets(TOKEN))
    function(world, "checkout", repository=f"{world.forge.url}/shop/checkout.git")
    function(world, "stranger")
    function(world, "thief", repository=f"{world.forge.url}/others/secret.git")

    for name in ("/aws/lambda/stranger", "/aws/lambda/thief", "/ecs/others", "/aws/lambda/checkout", central):
        log(world, name)

    discovered = world.eventually(
        lambda: next((a.name for a in world.target.registry.apps() if a.name.startswith("shop.")), None),
        lambda: f"nothing was discovered: {world.target.registry.entries()}",
    )
    healed = world.until(world.target.registry.app(discovered), Status.PROPOSED, Status.FAILED)
    assert (healed.status, healed.log_group) == (Status.PROPOSED, "/aws/lambda/checkout"), healed.reason
    assert world.until(registered, *Status).log_group == central, (
        "another account's, as centralization names it"
    )
    assert {i.app for i in world.target.incidents.recent()} == {discovered, "billing"}
    assert (
        world.client("logs").describe_subscription_filters(logGroupName=central)["subscriptionFilters"] == []
    )

    listed = json.loads(selfheal("apps", "list", "--json").stdout)["apps"]
    assert {row["app"]: row["family"] for row in listed} == {"billing": "", "shop": "", discovered: "shop"}
    refused = selfheal("apps", "pause", discovered)
    assert (refused.returncode, "healed as shop is" in refused.stderr) == (2, True), refused.stderr
    looked = {f["check"]: f for f in json.loads(selfheal("doctor", "--json").stdout)["findings"]}
    assert looked["account policy delivers all but our own logs"]["passed"]

    # What detect_errors writes itself is not delivered to it.
    before = invocations(world)
    own = f"/aws/lambda/{ALL.function('detect_errors')}"
    world.client("logs").create_log_stream(logGroupName=own, logStreamName="stream")
    log(world, own)
    log(world, "/ecs/others")
    world.eventually(lambda: invocations(world) > before or None, lambda: "it is not invoked any more")
    time.sleep(1)
    assert invocations(world) == before + 1


def ask(world: World, what: str) -> dict[str, Any]:
    """What the canary answers to its schedule."""
    answer = world.client("lambda").invoke(
        FunctionName=f"{ALL.function('canary')}:live", Payload=json.dumps({"do": what}).encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found


def test_the_canarys_error_is_healed_every_day_and_an_alarm_hears_when_it_is_not(everything: World) -> None:
    world = everything
    world.forge.create_repository("birds/canary", ROOT / "infra" / "canary", private=True)
    entry = {
        "log_groups": [ALL.canary],
        "repository": f"{world.forge.url}/birds/canary.git",
        "forge_api": world.forge.api_url,
        "mode": "propose",
    }
    app = App.from_json("canary", entry)
    register(world.target, app, AppSecrets(TOKEN))

    assert ask(world, "check")["outcome"] == "overdue"
    time.sleep(REST_SECONDS)  # until a log group counts that was registered just now
    for generation in (1, 2):
        assert ask(world, "begin")["outcome"] == "begun"
        healed = world.eventually(
            lambda day=generation: next(  # type: ignore[misc] # bound now, and typed as the lambda's argument
                (
                    i
                    for i in world.incidents(app)
                    if i.generation == day and i.status in (Status.PROPOSED, Status.FAILED)
                ),
                None,
            ),
            lambda: f"{world.incidents(app)}",
        )
        assert healed.status is Status.PROPOSED, healed.reason
        assert ask(world, "check") | {"incident_id": ""} == {
            "outcome": "proven",
            "canary_failed": 0,
            "incident_id": "",
            "status": "PROPOSED",
        }

    # Nothing is delivered any more: what was proven yesterday is not taken for today's.
    world.client("logs").delete_account_policy(policyName=ALL.filter, policyType="SUBSCRIPTION_FILTER_POLICY")
    assert ask(world, "begin")["outcome"] == "begun"
    assert ask(world, "check") | {"incident_id": ""} == {
        "outcome": "overdue",
        "canary_failed": 1,
        "incident_id": "",
        "status": "RESOLVED",
    }
    counted = world.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{ALL.function('canary')}", filterPattern='"CanaryFailed"'
    )
    rung = [event for event in counted["events"] if json.loads(event["message"])["CanaryFailed"] == [1]]
    assert len(rung) == 2, "once before anything was logged, and now"
