"""What a platform engineer relies on: encryption, retention, alarms, nothing lost in silence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.aws.names import PING
from functions.core.aws.settings import Settings
from functions.core.incidents.table import LISTED
from functions.core.workflow.lifetimes import (
    INCIDENT_DAYS,
    LONGEST_APPROVAL_HOURS,
    REDRIVE_DAYS,
    artifact_days,
    heal_days,
)
from infra.catalog import FUNCTIONS, STEPS
from infra.stats import COUNTED
from tests.deployment_uses import settings_of
from tests.statemachine.diagram import DEFINITION

if TYPE_CHECKING:
    from tests.infra.conftest import Template

OUTPUTS = {
    "ApprovalUrl",
    "ApprovalsTable",
    "ArtifactsBucket",
    "DataKeyArn",
    "EntriesKeyArn",
    "DetectErrorsArn",
    "FailedDetectionsUrl",
    "DeliveriesTable",
    "IncidentsTable",
    "StateMachineArn",
    "TakeDecisionArn",
    "PersonalTopicArn",
    "TopicArn",
    "UnreportedFailuresUrl",
    "UnstartedHealsUrl",
}
# CDK writes dependencies out even where a reference implies them.
IGNORED_RULES = "W3005"


def only(resources: dict[str, Any]) -> dict[str, Any]:
    (found,) = resources.values()
    return dict(found)


@pytest.mark.parametrize("variant", ["image", "signed_in"])
def test_cfn_lint_finds_nothing(variant: str, request: pytest.FixtureRequest) -> None:
    """As images, with a function URL; and as zips, with everything that sign-in adds."""
    template = request.getfixturevalue(f"{variant}_template")

    cfn_lint = str(Path(sys.executable).with_name("cfn-lint"))
    command = [cfn_lint, "--ignore-checks", IGNORED_RULES, "--template", str(template.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# Data


def test_data_outlives_the_stack(image_template: Template) -> None:
    for kind in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"):
        for logical_id in image_template.of_type(kind).keys() - throwaway(image_template):
            resource = image_template.resources[logical_id]
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", logical_id
            assert resource["UpdateReplacePolicy"] == "Retain", logical_id
    manifest = json.loads(image_template.path.with_name("manifest.json").read_text())
    assert manifest["artifacts"]["SelfHealingCode"]["properties"]["terminationProtection"] is True


def test_a_first_deployment_that_fails_takes_everything_back(image_template: Template) -> None:
    """Whatever would stay costs money, or has a name that the second deployment wants."""
    kept = [n for n, r in image_template.resources.items() if r.get("DeletionPolicy") == "Retain"]
    protected = [
        name
        for name, table in image_template.of_type("AWS::DynamoDB::Table").items()
        if table.get("DeletionProtectionEnabled")
    ]
    makes_log_groups = {
        statement.resource
        for role in image_template.of_type("AWS::IAM::Role")
        for statement in image_template.granted(image_template.arn(role, "AWS::IAM::Role"))
        if statement.action == "logs:CreateLogGroup"
    }

    assert (kept, protected, makes_log_groups) == ([], [], set())


def test_what_people_or_programs_wrote_is_encrypted_with_one_customer_managed_key(
    image_template: Template,
) -> None:
    key = image_template.arn("DataKey", "AWS::KMS::Key")
    tables = image_template.of_type("AWS::DynamoDB::Table").values()
    bucket = only(image_template.of_type("AWS::S3::Bucket"))
    topics = image_template.of_type("AWS::SNS::Topic").values()
    queues = image_template.of_type("AWS::SQS::Queue")
    (failed,) = [queue for name, queue in queues.items() if "FailedDetections" in name]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    used = [table["SSESpecification"]["KMSMasterKeyId"] for table in tables]
    used += [rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]]
    used += [topic["KmsMasterKeyId"] for topic in topics]
    used.append(failed["KmsMasterKeyId"])

    assert len(used) == 7
    assert set(used) == {key}
    assert all(queue is failed or queue["SqsManagedSseEnabled"] for queue in queues.values())


def test_the_key_rotates_and_seals_task_tokens_too(image_template: Template) -> None:
    (key,) = image_template.of_type("AWS::KMS::Key").values()
    assert key["EnableKeyRotation"]
    environment = image_template.function("await_approval")["Environment"]["Variables"]
    assert environment["TOKEN_KEY_ARN"] == image_template.arn("DataKey", "AWS::KMS::Key")


def test_alarms_may_use_the_data_key_for_this_account_only(image_template: Template) -> None:
    for key in image_template.of_type("AWS::KMS::Key").values():
        for statement in key["KeyPolicy"]["Statement"]:
            root = statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
            here = statement.get("Condition") == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
            assert root or here


def test_tables_recover_to_a_point_in_time_and_forget(image_template: Template) -> None:
    counters = throwaway(image_template)
    for logical_id, table in image_template.of_type("AWS::DynamoDB::Table").items():
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        if logical_id not in counters:
            assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def throwaway(template: Any) -> set[str]:
    """The table of counters and counted deliveries: a storm writes there, so it is kept cheap."""
    (found,) = [name for name in template.of_type("AWS::DynamoDB::Table") if "Deliveries" in name]
    assert "StreamSpecification" not in template.of_type("AWS::DynamoDB::Table")[found]
    return {found}


def test_incidents_have_a_stream_and_an_index_by_app(image_template: Template) -> None:
    (table,) = [
        t for t in image_template.of_type("AWS::DynamoDB::Table").values() if "StreamSpecification" in t
    ]

    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_app"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["app", "last_seen"]
    assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)}


def test_the_bucket_is_private_and_forgets(image_template: Template) -> None:
    bucket = only(image_template.of_type("AWS::S3::Bucket"))
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert (rule["ExpirationInDays"], rule["Status"]) == (90, "Enabled")
    # Whoever overwrites what was proven changes nothing of what was, and is found out.
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    environment = image_template.function("await_approval")["Environment"]["Variables"]
    assert heal_days(int(environment["APPROVAL_TTL_SECONDS"]) // 3600) < 90


@pytest.mark.parametrize(
    ("kind", "count"),
    [("AWS::S3::BucketPolicy", 1), ("AWS::SQS::QueuePolicy", 3), ("AWS::SNS::TopicPolicy", 2)],
)
def test_plain_text_connections_are_refused(kind: str, count: int, image_template: Template) -> None:
    policies = image_template.of_type(kind).values()

    assert len(policies) == count
    for policy in policies:
        assert [
            statement
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        ]


@pytest.mark.parametrize("hours", [1, 7 * 24, 31 * 24, LONGEST_APPROVAL_HOURS])
def test_whatever_is_asked_about_outlives_the_question_and_its_redrive(hours: int) -> None:
    """Asked, redriven on the last day, answered on the last, and its commit redriven on the last."""
    days = 2 * (hours / 24 + REDRIVE_DAYS)

    assert days <= heal_days(hours) < artifact_days(hours) < INCIDENT_DAYS
    assert heal_days(hours) < 365, "an execution ends after a year"


# Functions


def test_everything_invokes_an_alias(image_template: Template) -> None:
    """An alias lets a redrive run fixed code."""
    aliases = {f"self-heal-{spec.folder.replace('_', '-')}:live" for spec in FUNCTIONS}
    machine = only(image_template.of_type("AWS::StepFunctions::StateMachine"))
    targets = [
        *(arn for name, arn in machine["DefinitionSubstitutions"].items() if name.endswith("FunctionArn")),
        *(t["Arn"] for r in image_template.of_type("AWS::Events::Rule").values() for t in r["Targets"]),
        *(s["Target"]["Arn"] for s in image_template.of_type("AWS::Scheduler::Schedule").values()),
        *(p["FunctionName"] for p in image_template.of_type("AWS::Lambda::Permission").values()),
    ]

    assert {target.split(":function:")[1] for target in targets} <= aliases
    assert {a["Name"] for a in image_template.of_type("AWS::Lambda::Alias").values()} == {"live"}
    assert only(image_template.of_type("AWS::Lambda::Url"))["Qualifier"] == "live"


@pytest.mark.parametrize("folder", [spec.folder for spec in FUNCTIONS])
def test_a_function_gets_its_settings_and_no_secret(folder: str, image_template: Template) -> None:
    environment = image_template.function(folder)["Environment"]["Variables"]
    known = {name.upper() for name in Settings.__dataclass_fields__} | {
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_SERVICE_NAME",
    }

    assert set(environment) <= known
    assert environment["POWERTOOLS_SERVICE_NAME"] == folder
    assert not re.search(r"(?i)resolve:|secret|password|AKIA|ghp_", json.dumps(environment))


@pytest.mark.parametrize("folder", [spec.folder for spec in FUNCTIONS])
def test_settings_are_those_that_the_code_asks_for(folder: str) -> None:
    (spec,) = [spec for spec in FUNCTIONS if spec.folder == folder]
    required, optional = settings_of(folder)

    assert required <= set(spec.settings) <= required | optional


@pytest.mark.parametrize("folder", [spec.folder for spec in FUNCTIONS])
def test_a_function_is_traced_and_its_log_group_is_kept_for_a_time(
    folder: str, image_template: Template
) -> None:
    function = image_template.function(folder)
    groups = {
        group["LogGroupName"]: group.get("RetentionInDays")
        for group in image_template.of_type("AWS::Logs::LogGroup").values()
    }

    assert function["TracingConfig"] == {"Mode": "Active"}
    assert groups[function["LoggingConfig"]["LogGroup"]] == 90


def test_an_error_storm_cannot_starve_the_account(image_template: Template) -> None:
    reserved = {
        folder: image_template.function(folder).get("ReservedConcurrentExecutions")
        for folder in ("detect_errors", "decide_approval", "track_pull_requests")
    }

    assert reserved == {"detect_errors": 10, "decide_approval": 10, "track_pull_requests": 1}


def test_steps_are_not_throttled(image_template: Template) -> None:
    for spec in STEPS:
        assert "ReservedConcurrentExecutions" not in image_template.function(spec.folder)


# The sandbox


def test_code_under_test_runs_where_only_jobs_and_reports_can_be_reached(image_template: Template) -> None:
    vpc_functions = [
        f["FunctionName"]
        for f in image_template.of_type("AWS::Lambda::Function").values()
        if "VpcConfig" in f
    ]
    bucket = image_template.arn("Artifacts", "AWS::S3::Bucket")
    endpoint = only(image_template.of_type("AWS::EC2::VPCEndpoint"))
    reachable = {
        resource if isinstance(resource, str) else tuple(resource)
        for resource in (s["Resource"] for s in endpoint["PolicyDocument"]["Statement"])
    }

    assert vpc_functions == ["self-heal-runner"]
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["ServiceName"].endswith(".s3")
    assert reachable == {f"{bucket}/runs/*"}
    ways_out = ("AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route")
    assert not [kind for kind in ways_out if image_template.of_type(kind)]


def test_code_under_test_can_ask_for_no_name_but_the_buckets(image_template: Template) -> None:
    """A question to the VPC's resolver is a way out: it can carry data in its name."""
    domains = {
        logical_id: properties["Domains"]
        for logical_id, properties in image_template.of_type(
            "AWS::Route53Resolver::FirewallDomainList"
        ).items()
    }
    ((group_id, group),) = image_template.of_type("AWS::Route53Resolver::FirewallRuleGroup").items()
    association = only(image_template.of_type("AWS::Route53Resolver::FirewallRuleGroupAssociation"))
    ((vpc, _),) = image_template.of_type("AWS::EC2::VPC").items()
    asked = sorted(group["FirewallRules"], key=lambda rule: rule["Priority"])
    said = [(r["Action"], domains[r["FirewallDomainListId"].removesuffix(".Id")]) for r in asked]

    ((allowed, (name,)), blocked) = said
    assert allowed == "ALLOW"
    assert "Artifacts" in name
    assert name.endswith(".RegionalDomainName")
    assert asked[0]["FirewallDomainRedirectionAction"] == "TRUST_REDIRECTION_DOMAIN"
    assert blocked == ("BLOCK", ["*"])
    assert association["VpcId"] == vpc
    assert association["FirewallRuleGroupId"] == f"{group_id}.Id"


def test_no_two_runs_share_an_execution_environment_and_nothing_is_in_it(image_template: Template) -> None:
    runner = image_template.function("runner")

    assert runner["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    assert "Environment" not in runner
    assert "TracingConfig" not in runner
    others = [
        f["FunctionName"]
        for f in image_template.of_type("AWS::Lambda::Function").values()
        if "TenancyConfig" in f
    ]
    assert others == ["self-heal-runner"]


# The workflow and its neighbours


def test_the_state_machine_is_the_file_with_every_token_supplied(image_template: Template) -> None:
    machine = only(image_template.of_type("AWS::StepFunctions::StateMachine"))
    tokens = set(re.findall(r"\$\{(\w+)\}", machine["DefinitionString"]))

    assert machine["DefinitionString"] == DEFINITION.read_text()
    assert tokens == set(machine["DefinitionSubstitutions"])
    assert machine["StateMachineType"] == "STANDARD"


def test_the_state_machine_logs_errors_without_execution_data_and_is_traced(image_template: Template) -> None:
    machine = only(image_template.of_type("AWS::StepFunctions::StateMachine"))

    assert machine["LoggingConfiguration"]["Level"] == "ERROR"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert "EncryptionConfiguration" not in machine, "it would strip error and cause from the failure events"


def rule_for(image_template: Template, function: str, bus: str = "default") -> dict[str, Any]:
    """The rule that invokes a function, and its id."""
    return only(
        {
            name: rule
            for name, rule in image_template.of_type("AWS::Events::Rule").items()
            if rule["Targets"][0]["Arn"].endswith(f":{function}:live")
            and rule.get("EventBusName", "default") == bus
        }
    )


def test_the_rule_matches_bad_ends_of_this_state_machine(image_template: Template) -> None:
    rule = rule_for(image_template, "self-heal-report-failure")
    (target,) = rule["Targets"]

    assert rule["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": ["arn:aws:states:eu-central-1:111122223333:stateMachine:self-heal-workflow"],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    }
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 21600, "MaximumRetryAttempts": 20}


@pytest.mark.parametrize(
    ("kind", "detail", "heard"),
    [
        ("pull_request", {"action": "closed", "pull_request": {"head": {"ref": "self-heal/a-1"}}}, True),
        ("pull_request", {"action": "reopened", "pull_request": {"head": {"ref": "self-heal/a-1"}}}, True),
        ("pull_request", {"action": "closed", "pull_request": {"head": {"ref": "feature"}}}, False),
        ("pull_request", {"action": "opened", "pull_request": {"head": {"ref": "self-heal/a-1"}}}, False),
        ("check_suite", {"action": "completed", "check_suite": {"head_branch": "self-heal/a-1"}}, True),
        ("check_suite", {"action": "completed", "check_suite": {"head_branch": "main"}}, False),
        ("issue_comment", {"action": "created", "comment": {"body": "/self-heal because no"}}, True),
        ("issue_comment", {"action": "created", "comment": {"body": "Looks good"}}, False),
    ],
)
def test_what_the_forge_tells_of_heals_is_looked_at_at_once(
    image_template: Template, kind: str, detail: dict[str, Any], heard: bool
) -> None:
    eventbridge: Any = import_module("ministack.services.eventbridge")
    pattern = json.dumps(rule_for(image_template, "self-heal-track-pull-requests")["EventPattern"])
    event = {"Source": "github.com", "DetailType": kind, "Detail": json.dumps(detail)}

    assert eventbridge._matches_pattern(pattern, event) is heard
    assert not eventbridge._matches_pattern(pattern, event | {"Source": "a.stranger"})


def test_pull_requests_are_looked_at_once_a_heal_that_may_have_revised_one_has_ended(
    image_template: Template,
) -> None:
    rule = rule_for(image_template, "self-heal-track-pull-requests", "self-heal")
    assert rule["EventPattern"] == {"detail": {"status": ["PR_OPEN", "FAILED"]}}


def test_what_runs_on_a_schedule_and_how_often(image_template: Template) -> None:
    schedules = {
        schedule["Target"]["Arn"].split(":function:")[1]: schedule["ScheduleExpression"]
        for schedule in image_template.of_type("AWS::Scheduler::Schedule").values()
        if "Input" not in schedule["Target"]
    }

    assert schedules == {
        "self-heal-track-pull-requests:live": "cron(0/15 * * * ? *)",
        "self-heal-remind-approvers:live": "cron(0/30 * * * ? *)",
    }


@pytest.mark.parametrize("variant", ["image", "signed_in"])
def test_every_alias_is_pinged_once_a_day_and_a_ping_that_is_refused_comes_again(
    variant: str, request: pytest.FixtureRequest
) -> None:
    template = request.getfixturevalue(f"{variant}_template")
    pings = [
        schedule
        for schedule in template.of_type("AWS::Scheduler::Schedule").values()
        if json.loads(schedule["Target"].get("Input", "{}")) == PING
    ]
    functions = template.of_type("AWS::Lambda::Function").values()

    assert {ping["Target"]["Arn"].split(":function:")[1] for ping in pings} == {
        f"{function['FunctionName']}:live"
        for function in functions
        if function["FunctionName"]
        != "self-heal-runner"  # Its invocations name a tenant, which no schedule can.
    }
    assert {ping["ScheduleExpression"] for ping in pings} == {"rate(1 day)"}
    assert all(ping["Target"]["RetryPolicy"]["MaximumRetryAttempts"] >= 5 for ping in pings)


def test_detected_errors_are_retried_and_then_kept(image_template: Template) -> None:
    (config,) = [
        c
        for c in image_template.of_type("AWS::Lambda::EventInvokeConfig").values()
        if c["FunctionName"] == "self-heal-detect-errors"
    ]

    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (2, 3600)
    assert config["Qualifier"] == "live"


# Seeing it


def test_the_dashboard_shows_every_function_and_queue(image_template: Template) -> None:
    body = json.loads(only(image_template.of_type("AWS::CloudWatch::Dashboard"))["DashboardBody"])

    text = json.dumps(body)
    assert all(f'"{spec.folder}"' in text for spec in FUNCTIONS)
    assert all(f"{queue}.QueueName" in text for queue in image_template.of_type("AWS::SQS::Queue"))


def test_the_dashboard_says_what_stats_says(image_template: Template) -> None:
    body = json.loads(only(image_template.of_type("AWS::CloudWatch::Dashboard"))["DashboardBody"])
    how_far, why_not = (
        w["properties"] for w in body["widgets"] if w["properties"].get("view") == "singleValue"
    )
    words = [[word for word in row if isinstance(word, str)] for row in how_far["metrics"]]
    named = [dict(zip(row[2::2], row[3::2], strict=True)) for row in words]
    counted = [by["stage"] if "stage" in by else by["outcome"] for by in named if len(by) > 1]
    math = [row[0]["expression"] for row in how_far["metrics"] if "expression" in row[0]]

    assert how_far["setPeriodToTimeRange"], "of the whole time that is looked at"
    # What is closed without a merge is rejected.
    assert sorted(counted) == sorted({*COUNTED, "rejected"} - {"closed"})
    assert math == ["(FILL(usd0, 0) + FILL(usd1, 0)) / merged"]
    assert "service,reason" in why_not["metrics"][0][0]["expression"]


def test_the_outputs_are_what_the_command_reads(image_template: Template) -> None:
    assert set(image_template.raw["Outputs"]) == OUTPUTS
