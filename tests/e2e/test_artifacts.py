"""A step uses artifacts of its heal and of no other: two heals side by side, IAM enforced."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.core.aws.settings import Settings
from functions.core.incidents.incident import Incident, Status
from functions.core.workflow import scoped
from functions.core.workflow.heal import Heal
from functions.core.workflow.scoped import s3_of
from infra.catalog import STEPS
from infra.names import DEFAULT

if TYPE_CHECKING:
    from infra.spec import Spec
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded

OF_ONE_HEAL = [spec for spec in STEPS if spec.artifacts.of_one_heal]


@pytest.fixture(scope="module")
def two(shared_world: World) -> tuple[Incident, Incident]:
    """Two heals that wait for their approval."""
    apps = [shared_world.app(), shared_world.app()]
    for app in apps:
        shared_world.log(app)
    first, second = (shared_world.until(app, Status.AWAITING_APPROVAL) for app in apps)
    return first, second


def heal_of(incident: Incident) -> Heal:
    return Heal(incident.incident_id, incident.app, incident.execution_arn.rsplit(":", 1)[1], 1)


def given(world: World, incident: Incident, step: str) -> dict[str, Any]:
    """What a step was invoked with."""
    events = world.client("stepfunctions").get_execution_history(
        executionArn=incident.execution_arn, maxResults=1000
    )["events"]
    payloads = [
        json.loads(event["taskScheduledEventDetails"]["parameters"])
        for event in events
        if "taskScheduledEventDetails" in event
    ]
    mine = [row["Payload"] for row in payloads if f":{DEFAULT.function(step)}:" in row["FunctionName"]]
    state: dict[str, Any] = mine[-1]
    return state


def as_step(world: World, step: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """This process with the credentials and the settings of a step's function."""
    configuration = world.client("lambda").get_function(FunctionName=DEFAULT.function(step))["Configuration"]
    # The emulator lets its administrator stand for the Lambda service, which alone may take on the role.
    lent = world.client("sts").assume_role(RoleArn=configuration["Role"], RoleSessionName="step")
    for name, key in (
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ):
        monkeypatch.setenv(name, lent["Credentials"][key])
    monkeypatch.setenv("AWS_DEFAULT_REGION", world.target.session.region_name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.client("sts").meta.endpoint_url)
    for name, value in configuration["Environment"]["Variables"].items():
        monkeypatch.setenv(name, value)
    scoped._credentials.cache_clear()
    return Settings.from_environment()


def refused(call: Callable[..., Any], **named: Any) -> bool:
    """Whether IAM refuses a call. An object that is not there is none of that."""
    try:
        call(**named)
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "403")
    return False


def keys(patterns: tuple[str, ...], heal: Heal) -> list[str]:
    """Keys as a policy spells them, of one heal; without those that heals share."""
    named = (
        pattern.replace("${aws:PrincipalTag/incident}", heal.incident_id)
        .replace("${aws:PrincipalTag/heal}", heal.heal_id)
        .replace("*", "1")
        for pattern in patterns
    )
    return [key for key in named if not key.startswith("dependencies/")]


@pytest.mark.parametrize("spec", OF_ONE_HEAL, ids=lambda spec: spec.folder)
def test_a_step_that_tries_another_heals_object_is_refused(
    spec: Spec, two: tuple[Incident, Incident], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, others = (heal_of(incident) for incident in two)
    settings = as_step(world, spec.folder, monkeypatch)
    s3, bucket = s3_of(mine, settings, boto3.Session()), settings.artifacts_bucket

    for key in keys(spec.artifacts.reads, mine):
        assert not refused(s3.get_object, Bucket=bucket, Key=key), key
    for key in keys(spec.artifacts.reads, others):
        assert refused(s3.get_object, Bucket=bucket, Key=key), key
    for key in keys(spec.artifacts.writes, others):
        assert refused(s3.put_object, Bucket=bucket, Key=key, Body=b"forged"), key
    assert refused(s3.list_objects_v2, Bucket=bucket, Prefix=f"{others.prefix}/")
    assert refused(s3.list_objects_v2, Bucket=bucket)


@pytest.mark.parametrize("spec", OF_ONE_HEAL, ids=lambda spec: spec.folder)
def test_a_step_has_no_artifacts_but_in_a_session_of_its_own_and_of_one_heal(
    spec: Spec, two: tuple[Incident, Incident], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heal = heal_of(two[0])
    roles = {
        other.folder: world.client("lambda").get_function(FunctionName=DEFAULT.function(other.folder))[
            "Configuration"
        ]["Environment"]["Variables"]["ARTIFACTS_ROLE_ARN"]
        for other in OF_ONE_HEAL
    }
    settings = as_step(world, spec.folder, monkeypatch)
    tags = [{"Key": "incident", "Value": heal.incident_id}, {"Key": "heal", "Value": heal.heal_id}]
    session, bucket = boto3.Session(), settings.artifacts_bucket
    sts, s3 = session.client("sts"), session.client("s3")

    assert refused(s3.get_object, Bucket=bucket, Key=heal.key("source.tar.gz"))
    assert refused(s3.put_object, Bucket=bucket, Key=heal.key("source.tar.gz"), Body=b"")
    for fewer in ([], tags[:1], tags[1:], [*tags, {"Key": "more", "Value": "x"}]):
        assert refused(sts.assume_role, RoleArn=roles[spec.folder], RoleSessionName="session", Tags=fewer), (
            fewer
        )
    may = {
        folder
        for folder, role in roles.items()
        if not refused(sts.assume_role, RoleArn=role, RoleSessionName="session", Tags=tags)
    }
    assert may == {spec.folder}


REFERENCES = {
    "install_dependencies": (("source", "facts"), ("source", "key")),
    "propose_patch": (("source", "key"),),
    "validate_patch": (("source", "key"), ("source", "facts"), ("proposal", "key")),
    "await_approval": (("validation", "evidence_key"), ("validation", "patch_key")),
    "commit_patch": (("validation", "patch_key"), ("proposal", "key")),
    "create_pull_request": (("validation", "evidence_key"), ("validation", "patch_key"), ("proposal", "key")),
}
"""Where the state tells a step which objects to read."""


@pytest.mark.parametrize(
    ("step", "part", "field"), [(step, *place) for step, places in REFERENCES.items() for place in places]
)
def test_a_reference_to_another_heals_object_in_the_state_is_refused(
    step: str, part: str, field: str, two: tuple[Incident, Incident], world: World
) -> None:
    """The bytes are what the reference says, so that the hash is right, and S3 alone refuses."""
    mine, others = (given(world, incident, "await_approval") for incident in two)
    approval = world.approval(two[0])
    state = mine | {
        part: mine[part] | {field: others[part][field]},
        "attempt": 9 if step == "propose_patch" else 1,
        # Another question than the one that was asked, whose evidence nobody has to be told again.
        "redrive_count": 9,
        "decision": {
            "decision": "approve",
            "by": "ana",
            "comment": "",
            "reason": "",
            "approval_id": "",
            "decided_at": "2026-11-20T10:00:00.000Z",
            "patch_sha256": approval.patch_sha256,
            "base_sha": approval.base_sha,
        },
        "commit": {"branch": "b", "sha": approval.base_sha},
    }
    if step == "validate_patch":
        del state["validation"]

    answer = world.client("lambda").invoke(
        FunctionName=f"{DEFAULT.function(step)}:live", Payload=json.dumps(state).encode()
    )

    told = json.loads(answer["Payload"].read())
    assert answer.get("FunctionError"), told
    assert "AccessDenied" in told["errorMessage"]
    assert "GetObject" in told["errorMessage"]
