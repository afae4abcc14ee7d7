"""What an operator and a deployer may do, as the embedded AWS's policy evaluator decides."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import boto3
import pytest

from infra.policies import deployer, operator
from infra.target import Target

HERE = "eu-central-1:111122223333"
OUTPUTS = {
    "StateMachineArn": f"arn:aws:states:{HERE}:stateMachine:self-heal-workflow",
    "IncidentsTable": "incidents",
    "ApprovalsTable": "approvals",
    "ArtifactsBucket": "artifacts",
    "DetectErrorsArn": f"arn:aws:lambda:{HERE}:function:self-heal-detect-errors:live",
    "DataKeyArn": f"arn:aws:kms:{HERE}:key/data",
    "TakeDecisionArn": f"arn:aws:lambda:{HERE}:function:self-heal-take-decision:live",
    **{
        f"{name}Url": f"https://sqs.eu-central-1.amazonaws.com/111122223333/{name}"
        for name in ("FailedDetections", "UnstartedHeals", "UnreportedFailures")
    },
}
INCIDENTS, APPROVALS = (f"arn:aws:dynamodb:{HERE}:table/{name}" for name in ("incidents", "approvals"))
EXECUTION = f"arn:aws:states:{HERE}:execution:self-heal-workflow:heal-1"


def decide(policy: dict[str, Any], action: str, resource: str, **context: str) -> bool:
    iam: Any = import_module("ministack.core.iam_evaluator")
    request = iam.EvalContext(
        principal_arn="arn:aws:iam::111122223333:user/ana",
        principal_type="User",
        principal_account="111122223333",
        action=action,
        resource_arn=resource,
        region="eu-central-1",
        service_context={key.replace("_", ":").lower(): value for key, value in context.items()},
    )
    return str(iam.evaluate(request, [iam.parse_policy_document(policy)]).decision) == "Allow"


@pytest.fixture
def of_operator() -> dict[str, Any]:
    return operator(Target(boto3.Session(region_name="eu-central-1"), OUTPUTS))


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:GetItem", INCIDENTS),
        ("dynamodb:Scan", f"{INCIDENTS}/index/by_app"),
        ("lambda:InvokeFunction", OUTPUTS["TakeDecisionArn"]),
        ("s3:GetObject", "arn:aws:s3:::artifacts/orders-v1-abc/heal-1/1/patch.diff"),
        ("states:RedriveExecution", EXECUTION),
        ("ssm:PutParameter", f"arn:aws:ssm:{HERE}:parameter/self-heal/stopped"),
        ("ssm:GetParametersByPath", f"arn:aws:ssm:{HERE}:parameter/self-heal/apps"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{HERE}:FailedDetections"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:self-heal-report-failure:live"),
    ],
)
def test_an_operator_may(action: str, resource: str, of_operator: dict[str, Any]) -> None:
    assert decide(of_operator, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:Scan", INCIDENTS),
        ("dynamodb:DeleteItem", INCIDENTS),
        # Nobody records an approval by hand, or answers for one.
        ("dynamodb:PutItem", APPROVALS),
        ("dynamodb:UpdateItem", APPROVALS),
        ("states:SendTaskSuccess", "*"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:self-heal-decide-approval:live"),
        ("lambda:InvokeFunction", OUTPUTS["TakeDecisionArn"].removesuffix(":live")),
        ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/self-heal/link-key"),
        ("sts:AssumeRole", "arn:aws:iam::111122223333:role/any"),
        ("sts:GetFederationToken", "arn:aws:sts::111122223333:federated-user/ben"),
        ("s3:PutObject", "arn:aws:s3:::artifacts/orders-v1-abc/heal-1/1/patch.diff"),
        ("s3:DeleteObject", "arn:aws:s3:::artifacts/x"),
        ("states:UpdateStateMachine", OUTPUTS["StateMachineArn"]),
        ("states:RedriveExecution", EXECUTION.replace("self-heal-workflow", "payroll")),
        ("kms:Decrypt", OUTPUTS["DataKeyArn"]),
        ("ssm:PutParameter", f"arn:aws:ssm:{HERE}:parameter/self-heal/apps/orders"),
        ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/self-heal/credentials/orders"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:self-heal-commit-patch:live"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:self-heal-commit-patch"),
        ("iam:PassRole", "arn:aws:iam::111122223333:role/any"),
    ],
)
def test_an_operator_may_not(action: str, resource: str, of_operator: dict[str, Any]) -> None:
    assert not decide(of_operator, action, resource)


def test_the_data_key_is_used_through_the_services_that_hold_the_data(of_operator: dict[str, Any]) -> None:
    key = OUTPUTS["DataKeyArn"]

    for service, may in (("dynamodb", True), ("ssm", True), ("secretsmanager", False)):
        via = f"{service}.eu-central-1.amazonaws.com"
        assert decide(of_operator, "kms:Decrypt", key, kms_ViaService=via) is may


@pytest.mark.parametrize("action", ["ssm:GetParameter", "ssm:GetParametersByPath"])
@pytest.mark.parametrize("name", ["credentials/orders", "credentials", "link-key", "webhooks/orders"])
def test_an_operator_reads_entries_and_no_secret_that_the_same_key_encrypts(
    action: str, name: str, of_operator: dict[str, Any]
) -> None:
    parameter = f"arn:aws:ssm:{HERE}:parameter/self-heal"
    assert decide(of_operator, "ssm:GetParametersByPath", f"{parameter}/apps")
    assert not decide(of_operator, action, f"{parameter}/{name}")


def test_a_deployer_may_take_on_the_roles_of_the_bootstrapping_and_nothing_else() -> None:
    policy = deployer("111122223333", "eu-central-1")
    role = "arn:aws:iam::111122223333:role/{}"

    for name in ("deploy", "file-publishing", "image-publishing", "lookup"):
        bootstrapped = role.format(f"cdk-hnb659fds-{name}-role-111122223333-eu-central-1")
        assert decide(policy, "sts:AssumeRole", bootstrapped)
    for action, resource in (
        ("sts:AssumeRole", role.format("cdk-hnb659fds-cfn-exec-role-111122223333-eu-central-1")),
        ("sts:AssumeRole", role.format("Admin")),
        ("cloudformation:CreateStack", f"arn:aws:cloudformation:{HERE}:stack/SelfHealingCode/1"),
        ("iam:CreateRole", role.format("any")),
    ):
        assert not decide(policy, action, resource)
