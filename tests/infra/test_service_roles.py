"""Roles that the embedded AWS does not enforce: what the workflow and its neighbours call, and nothing else.

What is needed is derived from the state machine and from the template; what is granted must equal it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.statemachine.diagram import DEFINITION

if TYPE_CHECKING:
    from tests.infra.conftest import Decide, Template

ACCOUNT = "111122223333"

# These actions have no resource type, so AWS requires "*".
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}
# https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
TRACING = {
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html
READ_STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}


# https://docs.aws.amazon.com/step-functions/latest/dg/connect-codebuild.html#codebuild-iam
RUN_BUILD = "arn:aws:states:::codebuild:startBuild.sync"
PROJECTS = f"arn:aws:codebuild:eu-central-1:{ACCOUNT}:project/self-heal-"
RULE = f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/StepFunctionsGetEventForCodeBuildStartBuildRule"
OF_A_BUILD = {
    (f"codebuild:{action}", f"{PROJECTS}*") for action in ("StartBuild", "StopBuild", "BatchGetBuilds")
} | {(f"events:{action}", RULE) for action in ("PutTargets", "PutRule", "DescribeRule")}


def only(resources: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources.values()
    return dict(found)


def pairs(template: Any, role_arn: str) -> set[tuple[str, str]]:
    granted = template.granted(role_arn)
    assert {statement.effect for statement in granted} == {"Allow"}
    return {(statement.action, statement.resource) for statement in granted}


def calls_of_the_state_machine(machine: dict[str, Any]) -> set[tuple[str, str]]:
    """(action, resource) of every Task, its function being what the template substitutes for the token."""
    calls: set[tuple[str, str]] = set()
    for state in json.loads(DEFINITION.read_text())["States"].values():
        if state["Type"] != "Task":
            continue
        if state["Resource"] == RUN_BUILD:
            calls |= OF_A_BUILD
            continue
        assert state["Resource"].removesuffix(".waitForTaskToken") == "arn:aws:states:::lambda:invoke"
        token = state["Arguments"]["FunctionName"]
        calls.add(("lambda:InvokeFunction", machine["DefinitionSubstitutions"][token[2:-1]]))
    return calls


def test_the_state_machine_may_do_what_its_tasks_do(image_template: Template, decide: Decide) -> None:
    machine = only(image_template.of_type("AWS::StepFunctions::StateMachine"))
    needed = calls_of_the_state_machine(machine)
    everywhere = {(action, "*") for action in LOG_DELIVERY | TRACING}

    assert pairs(image_template, machine["RoleArn"]) == needed | everywhere
    for action, resource in needed - OF_A_BUILD:
        assert decide(image_template, machine["RoleArn"], action, resource) == "Allow"
        unqualified = resource.removesuffix(":live")
        assert decide(image_template, machine["RoleArn"], action, unqualified) == "ImplicitDeny"


def test_the_state_machine_may_run_the_builds_of_any_app_and_no_other_project(
    image_template: Template, decide: Decide
) -> None:
    role = only(image_template.of_type("AWS::StepFunctions::StateMachine"))["RoleArn"]

    for action in ("StartBuild", "StopBuild", "BatchGetBuilds"):
        assert decide(image_template, role, f"codebuild:{action}", f"{PROJECTS}orders") == "Allow"
        other = PROJECTS.replace("self-heal-", "release")
        assert decide(image_template, role, f"codebuild:{action}", other) == "ImplicitDeny"
    assert decide(image_template, role, "codebuild:UpdateProject", f"{PROJECTS}orders") == "ImplicitDeny"
    assert decide(image_template, role, "events:PutRule", RULE) == "Allow"
    assert decide(image_template, role, "events:PutRule", f"{RULE}2") == "ImplicitDeny"


@pytest.mark.parametrize("folder", ["decide-approval", "detect-errors", "report-failure", "somebody-elses"])
def test_the_state_machine_may_invoke_no_other_function(
    folder: str, image_template: Template, decide: Decide
) -> None:
    role = only(image_template.of_type("AWS::StepFunctions::StateMachine"))["RoleArn"]
    function = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:self-heal-{folder}:live"

    assert decide(image_template, role, "lambda:InvokeFunction", function) == "ImplicitDeny"


def pipe_named(template: Any, name: str) -> dict[str, Any]:
    (found,) = (pipe for pipe in template.of_type("AWS::Pipes::Pipe").values() if pipe["Name"] == name)
    return dict(found)


def test_the_pipe_of_events_may_read_its_stream_and_put_events_on_its_bus(image_template: Template) -> None:
    pipe = pipe_named(image_template, "self-heal-life-events")

    assert pipe["Target"].endswith(":event-bus/self-heal")
    assert pairs(image_template, pipe["RoleArn"]) == {
        *((action, pipe["Source"]) for action in READ_STREAM),
        ("events:PutEvents", pipe["Target"]),
        ("kms:Decrypt", image_template.arn("DataKey", "AWS::KMS::Key")),
    }


def test_the_pipe_may_read_its_stream_and_start_heals(image_template: Template, decide: Decide) -> None:
    pipe = pipe_named(image_template, "self-heal-workflow")
    source = pipe["SourceParameters"]["DynamoDBStreamParameters"]
    key = image_template.arn("DataKey", "AWS::KMS::Key")

    assert pairs(image_template, pipe["RoleArn"]) == (
        {(action, pipe["Source"]) for action in READ_STREAM}
        | {("states:StartExecution", pipe["Target"])}
        | {("sqs:SendMessage", source["DeadLetterConfig"]["Arn"])}
        | {("kms:Decrypt", key)}
    )
    decrypt = (image_template, pipe["RoleArn"], "kms:Decrypt", key)
    assert decide(*decrypt, kms_ViaService="dynamodb.eu-central-1.amazonaws.com") == "Allow"
    assert decide(*decrypt, kms_ViaService="s3.eu-central-1.amazonaws.com") == "ImplicitDeny"
    assert decide(*decrypt) == "ImplicitDeny"


def test_schedules_may_invoke_their_targets(image_template: Template) -> None:
    """The daily pings share one role; every other schedule has its own."""
    targets_of: dict[str, set[str]] = {}
    for schedule in image_template.of_type("AWS::Scheduler::Schedule").values():
        targets_of.setdefault(schedule["Target"]["RoleArn"], set()).add(schedule["Target"]["Arn"])

    assert len(targets_of) == 3
    for role, targets in targets_of.items():
        assert pairs(image_template, role) == {("lambda:InvokeFunction", target) for target in targets}


def test_the_rules_may_invoke_their_targets_and_keep_what_it_could_not_deliver(
    image_template: Template,
) -> None:
    rules = {
        image_template.arn(rule_id, "AWS::Events::Rule"): rule["Targets"][0]
        for rule_id, rule in image_template.of_type("AWS::Events::Rule").items()
    }
    permissions = [
        permission
        for permission in image_template.of_type("AWS::Lambda::Permission").values()
        if permission["Principal"] == "events.amazonaws.com"
    ]
    queue_statements = [
        statement
        for policy in image_template.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    assert sorted(permissions, key=str) == sorted(
        (
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": target["Arn"],
                "Principal": "events.amazonaws.com",
                "SourceArn": rule,
            }
            for rule, target in rules.items()
        ),
        key=str,
    )
    # What the forge told is looked at on schedule, too: nothing of it need be kept.
    ((rule, target),) = [row for row in rules.items() if "DeadLetterConfig" in row[1]]
    (statement,) = queue_statements
    assert statement["Resource"] == target["DeadLetterConfig"]["Arn"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}
    assert (statement["Principal"], statement["Action"]) == (
        {"Service": "events.amazonaws.com"},
        "sqs:SendMessage",
    )


def test_cloudwatch_logs_may_invoke_detect_errors_from_this_account_only(image_template: Template) -> None:
    (permission,) = [
        permission
        for permission in image_template.of_type("AWS::Lambda::Permission").values()
        if permission["Principal"] == "logs.amazonaws.com"
    ]

    assert permission["FunctionName"].endswith(":function:self-heal-detect-errors:live")
    assert permission["SourceAccount"] == ACCOUNT
    assert permission["SourceArn"] == f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:*"


def test_the_public_may_reach_the_approval_page_and_nothing_else(image_template: Template) -> None:
    public = [
        permission
        for permission in image_template.of_type("AWS::Lambda::Permission").values()
        if permission["Principal"] == "*"
    ]

    assert {permission["FunctionName"].rsplit(":", 2)[1] for permission in public} == {
        "self-heal-decide-approval"
    }
    for permission in public:
        via_url = permission.get("FunctionUrlAuthType") == "NONE" or permission.get("InvokedViaFunctionUrl")
        assert via_url, permission


def test_asynchronous_functions_may_keep_what_they_failed_on(image_template: Template) -> None:
    configs = image_template.of_type("AWS::Lambda::EventInvokeConfig").values()

    assert {config["FunctionName"] for config in configs} == {
        "self-heal-detect-errors",
        "self-heal-report-failure",
    }
    for config in configs:
        queue = config["DestinationConfig"]["OnFailure"]["Destination"]
        folder = config["FunctionName"].removeprefix("self-heal-").replace("-", "_")
        granted = pairs(image_template, image_template.role_of(folder))
        assert ("sqs:SendMessage", queue) in granted
        assert not {pair for pair in granted if pair[0].startswith("sqs:") and pair[1] != queue}
        # Lambda sends in the function's name; a queue under SQS's own key asks for nothing more.
        of_role = image_template.granted(image_template.role_of(folder))
        keyed = {one.action for one in of_role if '"sqs.' in one.conditions}
        assert keyed == (
            {"kms:Decrypt", "kms:GenerateDataKey"} if _has_a_key(image_template, queue) else set()
        )


def _has_a_key(template: Any, queue_arn: str) -> bool:
    """Whether a queue is encrypted by a key of ours."""
    queues = template.of_type("AWS::SQS::Queue").items()
    (queue,) = (queue for name, queue in queues if template.arn(name, "AWS::SQS::Queue") == queue_arn)
    return "KmsMasterKeyId" in queue


def test_roles_of_services_are_for_this_account_only(image_template: Template) -> None:
    for logical_id, role in image_template.of_type("AWS::IAM::Role").items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert "ManagedPolicyArns" not in role, logical_id
        if "ArtifactsRole" in logical_id:
            continue  # A step's own role takes it on: see test_function_roles.py.
        service = trust["Principal"]["Service"]
        here = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        assert service == "lambda.amazonaws.com" or trust["Condition"] == here, logical_id
