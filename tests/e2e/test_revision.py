"""A heal reads the commit that the function which failed says it runs, and says so where people look."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.approval.approvals import Verdict
from functions.core.incidents.incident import Status
from infra.cli.report import gather

if TYPE_CHECKING:
    from functions.core.apps.app import App
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

NO_FUNCTIONS = {"Statement": [{"Effect": "Deny", "Action": "lambda:*", "Resource": "*"}]}


def role_of(world: World, function: str) -> str:
    role: str = world.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    return role


def deploy(world: World, app: App, tags: dict[str, str]) -> None:
    """A function of the app's name, which owns the app's log group."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("rates.py", "")
    world.client("lambda").create_function(
        FunctionName=app.name,
        Runtime="python3.12",
        Role=role_of(world, "self-heal-fetch-source"),  # any role will do: it is never invoked
        Handler="rates.handler",
        Code={"ZipFile": code.getvalue()},
        Tags=tags,
        Environment={"Variables": {"PASSWORD": "hunter2-hunter2"}},
    )


def move_on(world: World, app: App) -> tuple[str, str]:
    """A commit more on main, which shifts all lines: the commit before, and this one."""
    bare = ["git", "--git-dir", str(world.repositories / f"{app.slug}.git")]
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]

    def git(*arguments: str, text: str | None = None) -> str:
        command = [*bare, *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout.strip()

    before = git("rev-parse", "main")
    moved = '"""Later."""\n\n\n' + git("show", "main:rates.py") + "\n"
    blob = git("hash-object", "-w", "--stdin", text=moved)
    tree = git("mktree", text=f"100644 blob {blob}\trates.py\n")
    after = git("commit-tree", tree, "-p", before, "-m", "Move on")
    git("update-ref", "refs/heads/main", after)
    return before, after


def test_a_function_tagged_with_an_older_commit_is_healed_there_and_on_the_head(world: World) -> None:
    app = world.app()
    before, after = move_on(world, app)
    deploy(world, app, {"git_sha": before})
    world.log(app)
    incident = world.until(app, Status.AWAITING_APPROVAL)
    assert incident.base_sha == after
    report = gather(world.target, incident)
    assert report.source
    said = f"tag git_sha of function {app.name} names {before}; the app's entry names no revision"
    assert report.source["reason"] == said
    assert report.source["deployed_sha"] == before
    assert report.source["python"]["version"] == "3.12"
    assert report.source["python"]["why"] == f"function {app.name} has Runtime python3.12"
    assert report.evidence
    unbroken = "The repository's tests pass as before: not run: the repository has no tests"
    assert report.evidence.not_proven == (unbroken,)
    assert f"at the deployed revision {before[:12]}, and on {after[:12]}" in report.evidence.twice
    assert "hunter2" not in json.dumps(report.to_json())

    world.decide(incident, Verdict.APPROVE)
    world.until(app, Status.PR_OPEN)
    (pull,) = world.pulls(app)
    assert f"Which revision was read: tag git\\_sha of function {app.name} names {before}" in pull["body"]


def test_a_function_that_may_not_be_looked_at_is_said_and_the_branch_is_read(world: World) -> None:
    app = world.app()
    before, after = move_on(world, app)
    deploy(world, app, {"git_sha": before})
    role = role_of(world, "self-heal-fetch-source").rsplit("/", 1)[1]
    name: dict[str, Any] = {"RoleName": role, "PolicyName": "NoFunctions"}
    world.client("iam").put_role_policy(**name, PolicyDocument=json.dumps(NO_FUNCTIONS))
    try:
        world.log(app)
        incident = world.until(app, Status.AWAITING_APPROVAL)
    finally:
        world.client("iam").delete_role_policy(**name)
    assert incident.base_sha == after
    source = gather(world.target, incident).source
    assert source
    assert f"tags of function {app.name}: access was denied" in source["reason"]
