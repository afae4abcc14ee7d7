"""An operator with the policy that `selfheal policy operator` prints, and no other right, IAM enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.core.approval.approvals import Verdict
from functions.core.approval.callers import sign
from functions.core.approval.decisions import Standing
from functions.core.approval.orders import Order
from functions.core.incidents.incident import Status
from infra.cli.history import read_history
from infra.cli.report import gather
from infra.cli.requeue import requeue_all
from infra.deciding import decide
from infra.errors import UserError
from infra.policies import operator
from infra.target import Target

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


@contextmanager
def operating(world: World, name: str) -> Iterator[Target]:
    """The deployment, as an operator of this name reaches it."""
    iam = world.client("iam")
    policy = json.dumps(operator(world.target))
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="operator", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(
        key["AccessKeyId"], key["SecretAccessKey"], None, world.target.session.region_name
    )
    yield Target(session, world.target.outputs)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="operator")
    iam.delete_user(UserName=name)


@pytest.fixture(autouse=True)
def embedded_endpoint(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.client("sts").meta.endpoint_url)


@pytest.fixture
def theirs(world: World) -> Iterator[Target]:
    with operating(world, "operator") as target:
        yield target


def test_an_operator_s_day_needs_no_more_than_the_policy(world: World, theirs: Target) -> None:
    app = world.app()
    restore = world.deny("fetch_source")
    world.log(app)
    failed = world.until(app, Status.FAILED)
    restore()

    assert theirs.incident(failed.incident_id).status is Status.FAILED
    assert read_history(theirs, failed)[1]
    theirs.session.client("stepfunctions").redrive_execution(executionArn=failed.execution_arn)
    asked = world.until(app, Status.AWAITING_APPROVAL)
    assert gather(theirs, asked)
    order = Order(asked.approval_id, asked.patch_sha256, Verdict.REJECT, "no", "other")
    answer = decide(theirs, order)
    assert answer.standing is Standing.ACCEPTED
    assert answer.approval
    assert answer.approval.by.endswith(":user/operator")
    world.until(app, Status.REJECTED)
    requeue_all(theirs)


def test_and_gives_no_more(world: World, theirs: Target) -> None:
    session, outputs = theirs.session, theirs.outputs
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("ssm").get_parameter(Name="/self-heal/apps/any")
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("s3").put_object(Bucket=outputs["ArtifactsBucket"], Key="x/1/patch.diff", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("lambda").invoke(FunctionName="self-heal-commit-patch:live")


def test_nobody_who_operates_approves_as_two(world: World, theirs: Target) -> None:
    account = world.target.output("StateMachineArn").split(":")[4]
    approvers = [f"arn:aws:iam::{account}:user/{name}" for name in ("operator", "second")]
    app = world.app(approvers=approvers, approvals_needed=2)
    world.log(app)
    asked = world.until(app, Status.AWAITING_APPROVAL)
    order = Order(asked.approval_id, asked.patch_sha256, Verdict.APPROVE)

    assert [decide(theirs, order).standing for _ in range(2)] == [Standing.ENDORSED] * 2
    # To say that it is the other one, with their key's name or with none, and to write it down oneself.
    session = theirs.session
    function = session.client("lambda")
    with operating(world, "second") as second:
        (key, others) = (target.session.get_credentials() for target in (theirs, second))
        assert key
        assert others
        mine = sign(order.purpose, key, session.client("sts")).to_json()
        theirs_named = mine["authorization"].replace(key.access_key, others.access_key)
        for authorization in (theirs_named, ""):
            signed = {**mine, "authorization": authorization}
            event = {**order.to_json(), "signed": signed, "by": approvers[1]}
            payload = json.dumps(event).encode()
            told = function.invoke(FunctionName=theirs.output("TakeDecisionArn"), Payload=payload)
            assert json.loads(told["Payload"].read())["outcome"] == "refused"
        table = session.resource("dynamodb").Table(theirs.output("ApprovalsTable"))
        with pytest.raises(ClientError, match="AccessDenied"):
            table.update_item(
                Key={"approval_id": asked.approval_id},
                UpdateExpression="SET first_person = :x",
                ExpressionAttributeValues={":x": "ben"},
            )
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("stepfunctions").send_task_success(taskToken="x" * 20, output="{}")
        with pytest.raises(UserError, match="Another patch"):
            decide(second, Order(asked.approval_id, "0" * 64, Verdict.APPROVE))
        assert world.incidents(app)[0].status is Status.AWAITING_APPROVAL

        assert decide(second, order).standing is Standing.ACCEPTED
    world.until(app, Status.PR_OPEN)
    approval = world.approval(asked)
    assert [approval.first_by, approval.by] == approvers
