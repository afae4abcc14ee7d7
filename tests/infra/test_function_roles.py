"""What each function may do. That it suffices is proven by running it with IAM enforced; here: no more."""

from __future__ import annotations

from typing import Any

import pytest

from infra.catalog import FUNCTIONS

ALL = {spec.folder for spec in FUNCTIONS}

# What Lambda needs to place a function in a VPC.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
NETWORK_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)

# Actions on "*", and why AWS leaves no narrower choice.
ANYWHERE = {
    "xray:PutTelemetryRecords": "no resource type",
    "xray:PutTraceSegments": "no resource type",
    "states:SendTaskSuccess": "no resource type: the task token is the capability",
    **dict.fromkeys(NETWORK_INTERFACE_ACTIONS, "network interfaces do not exist before"),
}

# Who holds a power that could do harm in the wrong hands. Resource: a part of the ARN.
POWERS: dict[tuple[str, str], set[str]] = {
    ("bedrock:InvokeModel", ""): {"propose_patch"},
    ("bedrock:CountTokens", ""): {"propose_patch"},
    ("bedrock:ApplyGuardrail", ""): {"propose_patch"},
    ("states:SendTaskSuccess", ""): {"await_approval", "decide_approval"},
    ("kms:Encrypt", "TokenKey"): {"await_approval"},
    ("kms:Decrypt", "TokenKey"): {"await_approval", "decide_approval"},
    ("ssm:GetParameter", "parameter/self-heal/link-key"): {
        "await_approval",
        "decide_approval",
        "remind_approvers",
    },
    ("ssm:GetParameter", "parameter/self-heal/webhooks"): {
        "await_approval",
        "record_outcome",
        "remind_approvers",
        "report_failure",
    },
    ("ssm:GetParameter", "parameter/self-heal/slack-signing"): {"decide_approval"},
    ("ssm:GetParameter", "parameter/self-heal/credentials"): {
        "fetch_source",
        "commit_patch",
        "create_pull_request",
        "track_pull_requests",
    },
    ("s3:PutObject", ""): {"fetch_source", "install_dependencies", "propose_patch", "validate_patch"},
    ("dynamodb:PutItem", ""): {"await_approval"},
    ("dynamodb:UpdateItem", "Approvals"): {"await_approval", "decide_approval", "remind_approvers"},
    ("logs:GetLogEvents", ""): {"detect_errors"},
    ("lambda:GetFunctionConfiguration", ""): {"fetch_source"},
    ("lambda:ListTags", ""): {"fetch_source"},
    ("sns:Publish", "PersonalLinks"): {"await_approval", "remind_approvers"},
    ("sns:Publish", ""): {
        "claim_incident",
        "await_approval",
        "record_outcome",
        "detect_errors",
        "remind_approvers",
        "report_failure",
    },
}
# No function has any business with these, but for what reads the revision that a function runs.
READS = {"lambda:GetFunctionConfiguration", "lambda:ListTags"}
NEVER = (
    "iam:",
    "sts:",
    "lambda:",
    "cloudformation:",
    "states:StartExecution",
    "dynamodb:DeleteItem",
    "s3:Delete",
)


def allowed(template: Any, folder: str) -> set[tuple[str, str]]:
    return {
        (statement.action, statement.resource)
        for statement in template.granted(template.role_of(folder))
        if statement.effect == "Allow"
    }


@pytest.mark.parametrize("folder", sorted(ALL))
def test_a_wildcard_is_used_only_where_aws_requires_it(folder: str, image_template: Any) -> None:
    granted = allowed(image_template, folder)

    assert {action for action, resource in granted if resource == "*"} <= ANYWHERE.keys()
    wild = {action for action, _ in granted if "*" in action}
    assert wild <= {"kms:GenerateDataKey*", "kms:ReEncrypt*"}, "actions are spelled out"


@pytest.mark.parametrize("power", POWERS, ids=" ".join)
def test_a_power_is_held_by_those_who_need_it(power: tuple[str, str], image_template: Any) -> None:
    action, part = power
    holders = {
        folder
        for folder in ALL
        if any(a == action and part in resource for a, resource in allowed(image_template, folder))
    }

    assert holders == POWERS[power]


@pytest.mark.parametrize("folder", sorted(ALL))
def test_no_function_may_change_the_system_or_delete(folder: str, image_template: Any) -> None:
    granted = {action for action, _ in allowed(image_template, folder)} - READS
    assert not [action for action in granted if action.startswith(NEVER)]


@pytest.mark.parametrize("folder", sorted(ALL))
def test_a_function_writes_to_its_own_log_group_only(folder: str, image_template: Any) -> None:
    own = f"log-group:/aws/lambda/self-heal-{folder.replace('_', '-')}:*"
    written = {
        resource
        for action, resource in allowed(image_template, folder)
        if action in ("logs:CreateLogStream", "logs:PutLogEvents")
    }

    assert len(written) == 1
    assert written.pop().endswith(own)


@pytest.mark.parametrize("folder", sorted(ALL))
def test_keys_are_used_through_a_service_or_are_the_token_key(folder: str, image_template: Any) -> None:
    for statement in image_template.granted(image_template.role_of(folder)):
        if statement.action.startswith("kms:"):
            assert "kms:ViaService" in statement.conditions or "TokenKey" in statement.resource, statement


def test_code_under_test_gets_the_artifacts_and_nothing_else(image_template: Any) -> None:
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")
    key = image_template.arn("DataKey", "AWS::KMS::Key")
    log_group = image_template.arn("ValidatePatchLogs", "AWS::Logs::LogGroup")
    for_lambda_itself = {"xray:PutTelemetryRecords", "xray:PutTraceSegments", *NETWORK_INTERFACE_ACTIONS}

    assert allowed(image_template, "validate_patch") == {
        ("s3:GetObject", f"{bucket}/*"),
        ("s3:GetObjectVersion", f"{bucket}/*"),
        ("s3:PutObject", f"{bucket}/*"),
        ("kms:Decrypt", key),
        ("kms:GenerateDataKey", key),
        ("logs:CreateLogStream", log_group),
        ("logs:PutLogEvents", log_group),
        *((action, "*") for action in for_lambda_itself),
    }


WRITTEN = {
    "fetch_source": "i/h/source.tar.gz",
    "install_dependencies": "dependencies/abc.tar.gz",
    "propose_patch": "i/h/1/proposal.json",
    "validate_patch": "i/h/1/evidence.json",
}


@pytest.mark.parametrize("folder", sorted(ALL))
def test_no_step_writes_what_another_answers_for(folder: str, image_template: Any, decide: Any) -> None:
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")
    role = image_template.role_of(folder)
    may = {
        writer
        for writer, name in WRITTEN.items()
        if decide(image_template, role, "s3:PutObject", f"{bucket}/{name}") == "Allow"
    }
    assert may == ({folder} & WRITTEN.keys())


def test_code_under_test_cannot_use_what_lambda_needs_for_its_network(
    image_template: Any, decide: Any
) -> None:
    role = image_template.role_of("validate_patch")
    me = "arn:aws:lambda:eu-central-1:111122223333:function:self-heal-validate-patch"

    for action in NETWORK_INTERFACE_ACTIONS:
        assert decide(image_template, role, action, "*") == "Allow"
        assert decide(image_template, role, action, "*", lambda_SourceFunctionArn=me) == "Deny"


def test_a_prompt_cannot_make_the_model_step_reach_the_forge(image_template: Any, decide: Any) -> None:
    role = image_template.role_of("propose_patch")
    parameter = "arn:aws:ssm:eu-central-1:111122223333:parameter/self-heal"

    assert decide(image_template, role, "ssm:GetParameter", f"{parameter}/apps/orders") == "Allow"
    assert (
        decide(image_template, role, "ssm:GetParameter", f"{parameter}/credentials/orders") == "ImplicitDeny"
    )
    assert decide(image_template, role, "ssm:GetParameter", f"{parameter}/link-key") == "ImplicitDeny"


def test_only_the_environment_of_a_function_that_is_tagged_for_it_may_be_read(
    image_template: Any, decide: Any
) -> None:
    role = image_template.role_of("fetch_source")
    function = "arn:aws:lambda:eu-central-1:111122223333:function:orders"
    action = "lambda:GetFunctionConfiguration"

    assert decide(image_template, role, action, function) == "ImplicitDeny"
    tagged = {"aws:ResourceTag/self-heal:environment": "readable"}
    assert decide(image_template, role, action, function, **tagged) == "Allow"


@pytest.mark.parametrize(
    "model",
    [
        "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-4-5",
        "arn:aws:bedrock:us-west-2:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5",
    ],
)
def test_the_model_may_be_a_profile_that_routes_to_other_regions(
    model: str, image_template: Any, decide: Any
) -> None:
    role = image_template.role_of("propose_patch")

    assert decide(image_template, role, "bedrock:InvokeModel", model) == "Allow"
