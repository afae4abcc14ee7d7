"""What each function may do. That it suffices is proven by running it with IAM enforced; here: no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.model.arns import OF_AN_ACCOUNT
from infra.catalog import FUNCTIONS, STEPS

if TYPE_CHECKING:
    from tests.infra.conftest import Decide, Template

ALL = {spec.folder for spec in FUNCTIONS}
OF_ONE_HEAL = sorted(spec.folder for spec in STEPS if spec.artifacts.of_one_heal)
TAGS = {"incident": "orders-v1-abc", "heal": "heal-1"}

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
    ("bedrock:InvokeModel", ""): {"propose_patch", "review_patch"},
    ("bedrock:CountTokens", ""): {"propose_patch"},
    ("bedrock:GetPromptRouter", ""): {"propose_patch", "review_patch"},
    ("bedrock:ApplyGuardrail", ""): {"propose_patch", "review_patch"},
    ("states:SendTaskSuccess", ""): {"await_approval", "decide_approval", "take_decision"},
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
    ("ssm:GetParameter", "parameter/self-heal/stopped"): {
        *({spec.folder for spec in STEPS} - {"record_outcome"}),
        "detect_errors",
        "track_pull_requests",
    },
    ("ssm:GetParameter", "parameter/self-heal/credentials/model/*"): {"propose_patch", "review_patch"},
    ("ssm:GetParameter", "parameter/self-heal/credentials/*"): {
        "fetch_source",
        "commit_patch",
        "create_pull_request",
        "track_pull_requests",
    },
    ("s3:PutObject", ""): set(),
    # What no heal's step does: the page and the reminder show what is asked, of every heal.
    ("s3:GetObject", ""): {"decide_approval", "remind_approvers"},
    ("sts:AssumeRole", "ArtifactsRole"): set(OF_ONE_HEAL),
    ("dynamodb:PutItem", ""): {"await_approval"},
    ("dynamodb:UpdateItem", "Approvals"): {
        "await_approval",
        "decide_approval",
        "remind_approvers",
        "take_decision",
    },
    ("logs:GetLogEvents", ""): {"detect_errors"},
    ("lambda:GetFunction", ""): {"fetch_source"},
    ("lambda:GetFunctionConfiguration", ""): {"fetch_source", "track_pull_requests"},
    ("ecr:BatchGetImage", ""): {"fetch_source"},
    ("ecr:GetDownloadUrlForLayer", ""): {"fetch_source"},
    ("lambda:ListTags", ""): {"fetch_source", "track_pull_requests"},
    ("iam:GetRole", "role/aws-reserved/sso.amazonaws.com/"): {"take_decision"},
    ("sns:Publish", "PersonalLinks"): {"await_approval", "remind_approvers"},
    ("lambda:InvokeFunction", ""): {"run_patch"},
    ("sns:Publish", ""): {
        "claim_incident",
        "await_approval",
        "record_outcome",
        "detect_errors",
        "remind_approvers",
        "report_failure",
    },
}
# No function has any business with these, but for what reads which revision a function runs and on what, what
# hands patches to the runner, what takes on the rights of a heal, and what knows the roles of IAM Identity
# Center: see above who holds these.
HELD = {
    "iam:GetRole",
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:ListTags",
    "lambda:InvokeFunction",
    "sts:AssumeRole",
    "sts:TagSession",
}
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
def test_a_wildcard_is_used_only_where_aws_requires_it(folder: str, image_template: Template) -> None:
    granted = allowed(image_template, folder)

    assert {action for action, resource in granted if resource == "*"} <= ANYWHERE.keys()
    assert not [action for action, _ in granted if "*" in action], "actions are spelled out"


@pytest.mark.parametrize("power", POWERS, ids=" ".join)
def test_a_power_is_held_by_those_who_need_it(power: tuple[str, str], image_template: Template) -> None:
    action, part = power
    holders = {
        folder
        for folder in ALL
        if any(a == action and part in resource for a, resource in allowed(image_template, folder))
    }

    assert holders == POWERS[power]


@pytest.mark.parametrize("folder", sorted(ALL))
def test_no_function_may_change_the_system_or_delete(folder: str, image_template: Template) -> None:
    granted = {action for action, _ in allowed(image_template, folder)} - HELD
    assert not [action for action in granted if action.startswith(NEVER)]


@pytest.mark.parametrize("folder", sorted(ALL))
def test_a_function_writes_to_its_own_log_group_only(folder: str, image_template: Template) -> None:
    own = f"log-group:/aws/lambda/self-heal-{folder.replace('_', '-')}:*"
    written = {
        resource
        for action, resource in allowed(image_template, folder)
        if action in ("logs:CreateLogStream", "logs:PutLogEvents")
    }

    assert len(written) == 1
    assert written.pop().endswith(own)


# Who uses the key directly, and for what: task tokens, which are bound to their approval.
DIRECTLY = {
    "await_approval": {"kms:Decrypt", "kms:Encrypt"},
    "decide_approval": {"kms:Decrypt"},
    "take_decision": {"kms:Decrypt"},
}
BOUND = json.dumps({"Null": {"kms:EncryptionContext:approval_id": "false"}})


@pytest.mark.parametrize("folder", sorted(ALL))
def test_the_key_is_used_through_a_service_or_for_task_tokens(folder: str, image_template: Template) -> None:
    granted = image_template.granted(image_template.role_of(folder))
    directly = [
        one for one in granted if one.action.startswith("kms:") and "kms:ViaService" not in one.conditions
    ]
    assert {one.action for one in directly} == DIRECTLY.get(folder, set())
    assert {one.conditions for one in directly} <= {BOUND}


def test_code_under_test_gets_a_role_that_may_do_nothing(image_template: Template) -> None:
    """Lambda itself places the function in its subnets by it; the function's own code is denied even that."""
    assert allowed(image_template, "runner") == {(action, "*") for action in NETWORK_INTERFACE_ACTIONS}


def test_who_hands_out_runs_may_sign_for_jobs_and_reports_only(
    image_template: Template, decide: Decide
) -> None:
    role = image_template.artifacts_role_of("run_patch")
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")

    for action, key, expected in (
        ("s3:GetObject", "runs/heal-1/1-9f/job.zip", "Allow"),
        ("s3:PutObject", "runs/heal-1/1-9f/report.json", "Allow"),
        ("s3:PutObject", "runs/heal-1/1-9f/job.zip", "ImplicitDeny"),
        ("s3:GetObject", "orders-v1-abc/heal-1/source.tar.gz", "ImplicitDeny"),
        ("s3:PutObject", "orders-v1-abc/heal-1/1/evidence.json", "ImplicitDeny"),
    ):
        assert decide(image_template, role, action, f"{bucket}/{key}", TAGS) == expected, key


HEAL = "orders-v1-abc/heal-1"
WRITERS = {
    f"{HEAL}/source.tar.gz": {"fetch_source"},
    f"{HEAL}/facts.json": {"fetch_source"},
    f"{HEAL}/origin.json": {"fetch_source"},
    "dependencies/" + "a" * 64 + ".tar.gz": {"install_dependencies"},
    f"{HEAL}/1/proposal.json": {"propose_patch"},
    f"{HEAL}/1/patch.diff": {"validate_patch"},
    f"{HEAL}/1/evidence.json": {"validate_patch"},
    f"{HEAL}/1/findings.json": {"propose_patch", "validate_patch", "review_patch"},
    f"{HEAL}/1/review.json": {"review_patch"},
    f"{HEAL}/1/experiment.json": {"validate_patch"},
    f"{HEAL}/1/deployed.json": {"validate_patch"},
    f"{HEAL}/head-{'a' * 40}.tar.gz": {"fetch_source", "commit_patch"},
    f"{HEAL}/earlier.json": {"fetch_source"},
    f"builds/self-heal-orders/{HEAL}/1-9f/source.zip": {"validate_patch"},
    f"{HEAL}/1/anything-else": set(),
}


@pytest.mark.parametrize("key", WRITERS)
def test_an_artifact_is_written_by_the_step_that_makes_it_and_by_no_other(
    key: str, image_template: Template, decide: Decide
) -> None:
    target = image_template.arn("Artifacts", "AWS::S3::Bucket") + "/" + key

    assert {
        folder
        for folder in OF_ONE_HEAL
        if decide(image_template, image_template.artifacts_role_of(folder), "s3:PutObject", target, TAGS)
        == "Allow"
    } == WRITERS[key]


def test_the_steps_that_use_artifacts_are_these() -> None:
    assert {spec.folder for spec in STEPS} - set(OF_ONE_HEAL) == {"claim_incident", "record_outcome"}


@pytest.mark.parametrize("folder", OF_ONE_HEAL)
def test_a_session_uses_objects_of_its_heal_and_of_no_other(
    folder: str, image_template: Template, decide: Decide
) -> None:
    """Every key that a policy of the template allows, of this heal, of others, and in a session of none."""
    role = image_template.artifacts_role_of(folder)
    granted = [s for s in image_template.granted(role) if s.action in ("s3:GetObject", "s3:PutObject")]
    own = [statement for statement in granted if "/dependencies/" not in statement.resource]
    assert own
    others = (
        {"incident": "orders-v1-abc", "heal": "heal-2"},
        {"incident": "billing-v1-def", "heal": "heal-2"},
    )
    for statement in own:
        key = statement.resource.replace("*", "1/x")
        for tag, value in TAGS.items():
            key = key.replace(f"${{aws:PrincipalTag/{tag}}}", value)
        assert decide(image_template, role, statement.action, key, TAGS) == "Allow", key
        for tags in (*others, {"incident": TAGS["incident"]}, {}):
            assert decide(image_template, role, statement.action, key, tags) == "ImplicitDeny", (key, tags)


@pytest.mark.parametrize("folder", OF_ONE_HEAL)
def test_the_role_of_artifacts_is_taken_on_by_its_step_and_for_one_heal(
    folder: str, image_template: Template
) -> None:
    name = image_template.artifacts_role_of(folder).rsplit("/", 1)[1]
    (trust,) = image_template.of_type("AWS::IAM::Role")[name]["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"AWS": image_template.role_of(folder)}
    assert trust["Condition"]["Null"] == {"aws:RequestTag/incident": "false", "aws:RequestTag/heal": "false"}
    assert trust["Condition"]["ForAllValues:StringEquals"] == {"aws:TagKeys": ["incident", "heal"]}
    assumable = {r for a, r in allowed(image_template, folder) if a.startswith("sts:")}
    assert assumable == {image_template.artifacts_role_of(folder)}


@pytest.mark.parametrize("folder", OF_ONE_HEAL)
def test_a_session_lists_what_it_may_look_for_and_nothing_else(
    folder: str, image_template: Template, decide: Decide
) -> None:
    role = image_template.artifacts_role_of(folder)
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")

    for prefix in ("orders-v1-abc/heal-2/1/answer.json", "orders-v1-abc/", ""):
        answer = decide(image_template, role, "s3:ListBucket", bucket, TAGS, s3_prefix=prefix)
        assert answer == "ImplicitDeny", prefix


def test_the_page_shows_artifacts_of_every_heal_but_no_source(
    image_template: Template, decide: Decide
) -> None:
    role = image_template.role_of("decide_approval")
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")

    assert decide(image_template, role, "s3:GetObject", f"{bucket}/{HEAL}/1/patch.diff") == "Allow"
    for key in (
        f"{HEAL}/source.tar.gz",
        f"{HEAL}/facts.json",
        "dependencies/1.tar.gz",
        "runs/heal-1/1/job.zip",
    ):
        assert decide(image_template, role, "s3:GetObject", f"{bucket}/{key}") == "ImplicitDeny", key


def test_a_reminder_reads_what_a_question_rests_on_and_nothing_else(
    image_template: Template, decide: Decide
) -> None:
    role = image_template.role_of("remind_approvers")
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")

    for name, expected in (
        ("1/proposal.json", "Allow"),
        ("1/evidence.json", "Allow"),
        ("1/patch.diff", "Allow"),
        ("1/review.json", "ImplicitDeny"),
        ("source.tar.gz", "ImplicitDeny"),
    ):
        assert decide(image_template, role, "s3:GetObject", f"{bucket}/{HEAL}/{name}") == expected, name


def test_code_under_test_cannot_use_what_lambda_needs_for_its_network(
    image_template: Template, decide: Decide
) -> None:
    role = image_template.role_of("runner")
    me = "arn:aws:lambda:eu-central-1:111122223333:function:self-heal-runner"

    for action in NETWORK_INTERFACE_ACTIONS:
        assert decide(image_template, role, action, "*") == "Allow"
        assert decide(image_template, role, action, "*", lambda_SourceFunctionArn=me) == "Deny"


def test_a_prompt_cannot_make_the_model_step_reach_the_forge(
    image_template: Template, decide: Decide
) -> None:
    role = image_template.role_of("propose_patch")
    parameter = "arn:aws:ssm:eu-central-1:111122223333:parameter/self-heal"

    assert decide(image_template, role, "ssm:GetParameter", f"{parameter}/apps/orders") == "Allow"
    assert (
        decide(image_template, role, "ssm:GetParameter", f"{parameter}/credentials/orders") == "ImplicitDeny"
    )
    assert decide(image_template, role, "ssm:GetParameter", f"{parameter}/link-key") == "ImplicitDeny"


@pytest.mark.parametrize(
    "model",
    [
        "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-4-5",
        "arn:aws:bedrock:us-west-2:111122223333:inference-profile/us.anthropic.claude-sonnet-4-5",
        *(f"arn:aws:bedrock:eu-west-1:111122223333:{kind}/abcdefghijkl" for kind in OF_AN_ACCOUNT),
    ],
)
def test_the_model_may_be_whatever_of_this_account_answers_in_any_region(
    model: str, image_template: Template, decide: Decide
) -> None:
    role = image_template.role_of("propose_patch")

    assert decide(image_template, role, "bedrock:InvokeModel", model) == "Allow"
    others = model.replace("111122223333", "444455556666").replace("foundation-model", "custom-model")
    assert decide(image_template, role, "bedrock:InvokeModel", others) == "ImplicitDeny"
