"""One's own repository on the embedded forge: what was merged there is neither lost nor left undeployed."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import boto3
import pytest

from infra.errors import UserError
from infra.local import own
from infra.registration import write_entry
from infra.target import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from infra.local.run import EmbeddedRun

HANDLER = "billing.handler"


@dataclass(frozen=True)
class Run:
    """An embedded run as far as a service of one's own needs it: its folder, and AWS."""

    home: str
    at: Target
    forge_url: str = "https://forge.example"
    deployed: list[str] = field(default_factory=list)

    def target(self) -> Target:
        return self.at

    def log_group(self, name: str) -> None:
        logs = boto3.client("logs")
        if not logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
            logs.create_log_group(logGroupName=name)

    def look_at_pull_requests(self) -> None:
        self.deployed.append(self.at.registry.app("billing").revision)

    def approvers(self) -> tuple[str, ...]:
        return ()

    def prices(self) -> dict[str, list[float]]:
        return {}


@pytest.fixture
def run(incidents_table: Table, tmp_path: Path) -> EmbeddedRun:
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    detect = boto3.client("lambda").create_function(
        FunctionName="detect", Role=role, Runtime="python3.12", Handler="x.y", Code={"ZipFile": b"x"}
    )["FunctionArn"]
    outputs = {
        "IncidentsTable": incidents_table.name,
        "DataKeyArn": (key := boto3.client("kms").create_key()["KeyMetadata"]["Arn"]),
        "EntriesKeyArn": key,
        "DetectErrorsArn": detect,
    }
    home = tmp_path / "home"
    home.mkdir()
    (home / "forge-token").write_text("s3cret")
    return cast("EmbeddedRun", Run(str(home), Target(boto3.Session(), outputs, local=True)))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The folder of a service of one's own."""
    folder = tmp_path / "billing"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "one")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@shop.example")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, says: str) -> str:
    (folder / "billing.py").write_text(
        f"SAYS = {says!r}\n\n\ndef handler(event, context):\n    return SAYS\n"
    )
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", says)
    return git(folder, "rev-parse", "HEAD")


def merged_on_the_forge(run: EmbeddedRun, tmp_path: Path) -> str:
    """A fix that was merged there, and is not in the folder."""
    bare, other = Path(run.home) / "forge/me/billing.git", tmp_path / "other"
    git(tmp_path, "clone", "-q", str(bare), str(other))
    fix = commit(other, "the fix")
    git(other, "push", "-q", "origin", "main")
    return fix


def main_of(run: EmbeddedRun) -> str:
    return git(Path(run.home) / "forge/me/billing.git", "rev-parse", "main")


def deployed() -> str:
    code = boto3.client("lambda").get_function(FunctionName="billing")["Code"]["Location"]
    assert code
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends["123456789012"]["us-east-1"]
    data = backend.get_function("billing").code_bytes
    return zipfile.ZipFile(io.BytesIO(data)).read("billing.py").decode().splitlines()[0]


def test_what_was_merged_there_is_not_overwritten_by_a_commit_that_lacks_it(
    run: EmbeddedRun, mine: Path, tmp_path: Path
) -> None:
    own.add(run, mine)
    fix = merged_on_the_forge(run, tmp_path)
    two = commit(mine, "two")

    with pytest.raises(UserError) as refused:
        own.add(run, mine)

    assert "has what" in refused.value.what and "the fix" in refused.value.what
    assert f"git -C {mine} pull" in refused.value.next_step
    assert main_of(run) == fix
    own.add(run, mine, force=True)
    assert main_of(run) == two


def test_what_takes_it_in_is_added_again(run: EmbeddedRun, mine: Path, tmp_path: Path) -> None:
    own.add(run, mine)
    fix = merged_on_the_forge(run, tmp_path)
    git(mine, "pull", "--no-rebase", f"{run.home}/forge/me/billing.git", "main")
    assert own.add(run, mine).app.revision == fix


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        ("nowhere.handler", "no handler 'nowhere.handler'"),
        ("handler", "no handler 'handler'"),
        ("billing.handel", "no function in billing.py called 'handel'.*did you mean handler"),
    ],
)
def test_nothing_is_pushed_for_a_handler_that_does_not_exist(
    handler: str, problem: str, run: EmbeddedRun, mine: Path
) -> None:
    own.add(run, mine)
    before = main_of(run)
    commit(mine, "two")
    with pytest.raises(UserError) as refused:
        own.add(run, mine, handler=handler)
    assert re.search(problem, f"{refused.value.what} {refused.value.next_step}")
    assert main_of(run) == before


def test_what_was_configured_meanwhile_stays_when_it_is_added_again(run: EmbeddedRun, mine: Path) -> None:
    first = own.add(run, mine).app
    write_entry(run.target(), replace(first, max_attempts=2, revision="0" * 40))
    again = own.add(run, mine).app
    assert (again.max_attempts, again.revision) == (2, first.revision)


def test_what_was_merged_is_deployed_and_said_to_be(run: EmbeddedRun, mine: Path, tmp_path: Path) -> None:
    own.add(run, mine, handler=HANDLER)
    assert deployed() == "SAYS = 'one'"
    fix = merged_on_the_forge(run, tmp_path)

    assert own.deploy(run, "billing") == fix

    assert deployed() == "SAYS = 'the fix'"
    assert run.target().registry.app("billing").revision == fix
    assert cast("Run", run).deployed == [fix], "whether the fix runs is looked at once it does"


def test_without_a_function_it_is_only_said_to_be(run: EmbeddedRun, mine: Path, tmp_path: Path) -> None:
    own.add(run, mine)
    fix = merged_on_the_forge(run, tmp_path)
    assert own.deploy(run, "billing") == fix
    assert run.target().registry.app("billing").revision == fix
