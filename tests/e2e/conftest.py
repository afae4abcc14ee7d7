"""The whole system in one place: the synthesised stack on the embedded AWS, with apps on a real forge."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest

from functions.core.approval.approvals import Approval, Approvals, Verdict
from functions.core.approval.decisions import Answer
from functions.core.approval.orders import Order
from functions.core.apps.app import App
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.history import Visit
from infra.cli.history import read_history
from infra.deciding import decide
from infra.local import run as embedded
from infra.registration import AppSecrets, register
from infra.target import Target
from tests.fakes.forge import Forge
from tests.fakes.scripted_model import ScriptedModel

T = TypeVar("T")

TOKEN = "forge-token"
PATIENCE = 240
"""Seconds that are waited for what must come about, on a machine that is busy with other things as well."""
DENY_ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
)

BUGGY = '''"""Rates."""

RATES = {"DE": 4.9, "default": 19.5}

DAYS = {"DE": 2, "default": 14}


def days(country):
    """Days until delivery."""
    return DAYS.get(country, DAYS["default"])


def rate(country):
    """Euro per kilogram."""
    return RATES[country]
'''

CRASH = """[ERROR] KeyError: 'NZ'
Traceback (most recent call last):
  File "/var/task/rates.py", line 15, in rate
    return RATES[country]
           ~~~~~^^^^^^^^^
"""


@dataclass
class World:
    """The embedded system and a forge of the test's own, in this process, so that it can be made to fail."""

    run: embedded.EmbeddedRun
    forge: Forge
    model: ScriptedModel
    sources: Path
    repositories: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)
    _clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def target(self) -> Target:
        return self.run.target()

    def client(self, service: str) -> Any:
        """Made once: a session reads a service's model anew, and tests ask ten times a second."""
        if service not in self._clients:
            self._clients[service] = self.target.session.client(service)  # type: ignore[call-overload]  # any
        return self._clients[service]

    def app(self, files: dict[str, str] | None = None, *, token: str = TOKEN, **changes: Any) -> App:
        """Register a new app with a repository and a log group of its own."""
        name = f"t{next(self.numbers)}"
        source = self.sources / name
        for path, text in (files or {"rates.py": BUGGY}).items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text)
        self.forge.create_repository(f"shop/{name}", source, private=True, collaborators=("reviewer",))
        group = f"/aws/lambda/{name}"
        self.client("logs").create_log_group(logGroupName=group)
        self.client("logs").create_log_stream(logGroupName=group, logStreamName="stream")
        entry = {
            "log_groups": [group],
            "repository": f"{self.forge.url}/shop/{name}.git",
            "forge_api": self.forge.api_url,
            "packages": ["rates"],
            **changes,
        }
        app = App.from_json(name, entry)
        register(self.target, app, AppSecrets(token))
        return app

    def log(self, app: App, text: str = CRASH) -> None:
        """What the app's runtime would write."""
        events = [{"timestamp": int(time.time() * 1000), "message": text}]
        self.client("logs").put_log_events(
            logGroupName=app.log_groups[0], logStreamName="stream", logEvents=events
        )

    def incidents(self, app: App) -> list[Incident]:
        listed = self.target.incidents.recent(app.name)
        return [self.target.incidents.get(incident.incident_id) for incident in listed]

    def until(self, app: App, *statuses: Status) -> Incident:
        """The app's one incident, once it has one of these statuses."""
        found = self.eventually(
            lambda: next((i for i in self.incidents(app) if i.status in statuses), None),
            lambda: f"{app.name} never was {statuses}; incidents: {self.incidents(app)}",
        )
        return self.target.incidents.get(found.incident_id)

    def eventually(self, look: Callable[[], T | None], why: Callable[[], str]) -> T:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(0.1)
        raise AssertionError(why())

    def decide(self, incident: Incident, verdict: Verdict, comment: str = "", reason: str = "") -> Answer:
        asked = Order(incident.approval_id, incident.patch_sha256, verdict, comment, reason)
        return decide(self.target, asked)

    def approval(self, incident: Incident) -> Approval:
        table = self.target.session.resource("dynamodb").Table(self.target.output("ApprovalsTable"))
        found = Approvals(table).get(incident.approval_id)
        assert found
        return found

    def executions(self, app: App) -> list[dict[str, Any]]:
        """All executions that were started for the app's incidents, newest first."""
        states = self.client("stepfunctions")
        listed = states.list_executions(stateMachineArn=self.target.output("StateMachineArn"))["executions"]
        described = [states.describe_execution(executionArn=e["executionArn"]) for e in listed]
        return [e for e in described if f'"{app.name}-' in e["input"]]

    def history(self, incident: Incident) -> list[Visit]:
        return read_history(self.target, incident)[1]

    def redrive(self, incident: Incident) -> None:
        self.client("stepfunctions").redrive_execution(executionArn=incident.execution_arn)

    def pulls(self, app: App) -> list[dict[str, Any]]:
        """The app's pull requests, as the forge keeps them."""
        from github import Auth, Github

        client = Github(auth=Auth.Token(TOKEN), base_url=self.forge.api_url, retry=None)
        return [pull.raw_data for pull in client.get_repo(app.slug).get_pulls(state="all")]

    def commits(self, app: App, branch: str) -> list[str]:
        """Commits of a branch, newest first, as the forge's disk holds them."""
        bare = self.repositories / f"{app.slug}.git"
        command = ["git", "--git-dir", str(bare), "rev-list", branch]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    def deny(self, function: str) -> Callable[[], None]:
        """Take every permission from a function's role, as a careless change would; returns the undo."""
        name = f"self-heal-{function.replace('_', '-')}"
        role = (
            self.client("lambda").get_function(FunctionName=name)["Configuration"]["Role"].rsplit("/", 1)[1]
        )
        iam = self.client("iam")
        iam.put_role_policy(RoleName=role, PolicyName="Careless", PolicyDocument=DENY_ALL)
        return lambda: iam.delete_role_policy(RoleName=role, PolicyName="Careless")


@pytest.fixture(scope="session")
def scripted_model() -> Iterator[ScriptedModel]:
    model = ScriptedModel()
    yield model
    model.stop()


@pytest.fixture(scope="session")
def embedded_run(
    tmp_path_factory: pytest.TempPathFactory, scripted_model: ScriptedModel
) -> Iterator[embedded.EmbeddedRun]:
    """One embedded system for all tests of this process; retries of the workflow wait hardly at all."""
    home = tmp_path_factory.mktemp("embedded") / ".selfheal"
    run = embedded.start(home, wait_scale=0.02, model_url=scripted_model.url)
    yield run
    run.stop()


@pytest.fixture(scope="session")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forge")


@pytest.fixture(scope="session")
def shared_forge(repositories: Path) -> Iterator[Forge]:
    forge = Forge(repositories, TOKEN)
    forge.start()
    yield forge
    forge.stop()


@pytest.fixture(scope="session")
def shared_world(
    embedded_run: embedded.EmbeddedRun,
    shared_forge: Forge,
    scripted_model: ScriptedModel,
    repositories: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    sources = tmp_path_factory.mktemp("sources")
    return World(embedded_run, shared_forge, scripted_model, sources, repositories)


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The system, with the forge in good health before and after each test."""
    shared_world.forge.outage = None
    yield shared_world
    shared_world.model.scripts.clear()
    shared_world.model.held.clear()
    shared_world.forge.outage = None
    shared_world.forge.start()
