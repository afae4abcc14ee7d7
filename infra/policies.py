"""The least that a person needs in IAM: to operate a deployed system, or to deploy it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.names import DEFAULT, Names
from infra.target import Target

Statement = dict[str, Any]


def operator(target: Target) -> dict[str, Any]:
    """To look, decide, redrive, start over, stop and start with the `selfheal` command; not to register or
    pause apps, or to change anything that is deployed.

    Whoever must not decide loses the statement `Decide`, and whoever must not stop all healing `Stop`. To
    decide is to invoke a function that finds out who asks: nothing here records approvals or answers tasks.
    """
    machine = target.output("StateMachineArn")
    here = machine.rsplit(":", 2)[0].replace(":states:", ":{}:")
    names, parameter = target.names, f"{here.format('ssm')}:parameter"
    executions = machine.replace(":stateMachine:", ":execution:") + ":*"
    region = machine.split(":")[3]
    tables = [
        f"{here.format('dynamodb')}:table/{target.output(n)}" for n in ("IncidentsTable", "ApprovalsTable")
    ]
    bucket = f"arn:{machine.split(':')[1]}:s3:::{target.output('ArtifactsBucket')}"
    queues = [
        f"{here.format('sqs')}:{target.output(name).rsplit('/', 1)[1]}"
        for name in ("FailedDetectionsUrl", "UnstartedHealsUrl", "UnreportedFailuresUrl")
    ]
    detect = target.output("DetectErrorsArn")
    report = detect.replace("detect-errors", "report-failure")
    services = [f"{service}.{region}.amazonaws.com" for service in ("dynamodb", "s3", "sqs", "ssm")]
    return _policy(
        _allow("FindStack", ["cloudformation:DescribeStacks"], [_stack(here, names)]),
        _allow("Look", ["dynamodb:GetItem"], tables),
        _allow("List", ["dynamodb:Query", "dynamodb:Scan"], [f"{tables[0]}/index/by_app"]),
        _allow("LookAtArtifacts", ["s3:GetObject", "s3:GetObjectVersion"], [f"{bucket}/*"]),
        _allow("FindArtifacts", ["s3:ListBucket"], [bucket]),
        _allow("LookAtHeals", ["states:DescribeExecution", "states:GetExecutionHistory"], [executions]),
        _allow("Redrive", ["states:RedriveExecution"], [executions]),
        _allow("Requeue", ["states:StartExecution"], [machine]),
        _allow("InvokeAgain", ["lambda:InvokeFunction"], [detect, report]),
        _allow("Drain", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], queues),
        _allow("SeeApps", ["ssm:GetParametersByPath"], [f"{parameter}{names.registry}"]),
        _allow(
            "Stop",
            ["ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"],
            [f"{parameter}{names.switch}"],
        ),
        _allow("ChangeIncidents", ["dynamodb:UpdateItem"], [tables[0]]),
        {
            **_allow("UseData", ["kms:Decrypt"], [target.output("DataKeyArn")]),
            "Condition": {"StringEquals": {"kms:ViaService": services}},
        },
        _allow("Decide", ["lambda:InvokeFunction"], [target.output("TakeDecisionArn")]),
    )


def deployer(
    account: str, region: str, partition: str = "aws", qualifier: str = "hnb659fds", names: Names = DEFAULT
) -> dict[str, Any]:
    """To run `cdk deploy` in a bootstrapped account: nothing but to take on the roles of the bootstrapping.

    What these may do is the bootstrapping's to say (`cdk bootstrap --cloudformation-execution-policies`).
    https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
    """
    roles = [
        f"arn:{partition}:iam::{account}:role/cdk-{qualifier}-{role}-role-{account}-{region}"
        for role in ("deploy", "file-publishing", "image-publishing", "lookup")
    ]
    here = f"arn:{partition}:{{}}:{region}:{account}"
    version = f"{here.format('ssm')}:parameter/cdk-bootstrap/{qualifier}/version"
    return _policy(
        _allow("TakeOnBootstrapRoles", ["sts:AssumeRole"], roles),
        _allow("ReadBootstrapVersion", ["ssm:GetParameter"], [version]),
        _allow("ReadOutputs", ["cloudformation:DescribeStacks"], [_stack(here, names)]),
    )


def _stack(here: str, names: Names) -> str:
    return f"{here.format('cloudformation')}:stack/{names.stack}/*"


def _allow(sid: str, actions: Iterable[str], resources: Iterable[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _policy(*statements: Statement) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
