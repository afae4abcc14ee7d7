"""An operator with the policy that `selfheal policy operator` prints, and no other right, IAM enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.core.approval.approvals import Verdict
from functions.core.approval.decisions import Decision, Standing
from functions.core.incidents.incident import Status
from infra.cli.decide import decide, identity
from infra.cli.history import read_history
from infra.cli.report import gather
from infra.cli.requeue import requeue_all
from infra.policies import operator
from infra.target import Target

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.embedded


@pytest.fixture
def theirs(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """The deployment, as an operator reaches it."""
    iam = world.client("iam")
    iam.create_user(UserName="operator")
    iam.put_user_policy(
        UserName="operator", PolicyName="operator", PolicyDocument=json.dumps(operator(world.target))
    )
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.client("sts").meta.endpoint_url)
    session = boto3.Session(
        key["AccessKeyId"], key["SecretAccessKey"], None, world.target.session.region_name
    )
    yield Target(session, world.target.outputs)
    iam.delete_access_key(UserName="operator", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="operator", PolicyName="operator")
    iam.delete_user(UserName="operator")


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
    by = Decision(Verdict.REJECT, identity(theirs), comment="no", reason="other", via="iam")
    assert decide(theirs, asked.approval_id, by).standing is Standing.ACCEPTED
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
