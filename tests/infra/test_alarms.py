"""Nothing is without an alarm, and no alarm without an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.workflow import errors
from functions.core.workflow.proposal import ABSTENTION_CLASSES
from infra.alarms import ALARMS, BAND, CHOSEN, COMPOSITES, Alarm, Composite
from infra.cost.estimate import RANKINGS
from infra.dashboard import QUERIES
from infra.names import DEFAULT

if TYPE_CHECKING:
    from tests.infra.conftest import Template

RUNBOOK = Path(__file__).parents[2] / ".github" / "RUNBOOK.md"
EVERY: tuple[Alarm | Composite, ...] = (*ALARMS, BAND, *COMPOSITES)

# What an alarm must be on, for each resource of a type: the dimension, and what it holds.
WATCHED = {
    "AWS::Lambda::Function": ("AWS/Lambda", "FunctionName"),
    "AWS::SQS::Queue": ("AWS/SQS", "QueueName"),
    "AWS::DynamoDB::Table": ("AWS/DynamoDB", "TableName"),
    "AWS::Pipes::Pipe": ("AWS/EventBridge/Pipes", "PipeName"),
    "AWS::StepFunctions::StateMachine": ("AWS/States", "StateMachineArn"),
    "AWS::Events::Rule": ("AWS/Events", "RuleName"),
    "AWS::Scheduler::ScheduleGroup": ("AWS/Scheduler", "ScheduleGroup"),
    "AWS::ApiGatewayV2::Api": ("AWS/ApiGateway", "ApiId"),
}
# Why the loss of one is told by no metric of its own.
UNWATCHED = {
    "AWS::CodeBuild::Project": "a build that fails, or does not start, fails its heal, which is watched",
    "AWS::Events::EventBus": "the pipe that cannot reach it is watched, and so is who listens to it",
    "AWS::EventSchemas::Registry": "nothing reads it while events are told",
    "AWS::EventSchemas::Schema": "nothing reads it while events are told",
    "AWS::KMS::Key": "whoever cannot use it fails, and is watched",
    "AWS::S3::Bucket": "whoever cannot use it fails, and is watched",
    "AWS::SNS::Topic": "what cannot be told by it cannot be told that it cannot",
}


def sections(level: str = "###") -> set[str]:
    return set(re.findall(rf"^{level} (.+)$", RUNBOOK.read_text(), re.M))


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Each as {"Namespace", "MetricName", "Dimensions"}."""
    if "MetricName" in alarm:
        return [alarm]
    return [row["MetricStat"]["Metric"] for row in alarm["Metrics"] if "MetricStat" in row]


def watched(template: Any) -> set[tuple[str, str, str]]:
    """Namespace, dimension and value of everything that an alarm is on."""
    return {
        (metric["Namespace"], dimension["Name"], str(dimension["Value"]))
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        for metric in metrics_of(alarm)
        for dimension in metric.get("Dimensions", [])
    }


def identity(template: Any, kind: str, logical_id: str) -> str:
    """What a dimension says of a resource."""
    properties = template.of_type(kind)[logical_id]
    match kind:
        case "AWS::Lambda::Function":
            return str(properties["FunctionName"])
        case "AWS::SQS::Queue":
            return f"{logical_id}.QueueName"
        case "AWS::StepFunctions::StateMachine":
            return f"arn:aws:states:eu-central-1:111122223333:stateMachine:{properties['StateMachineName']}"
        case _:
            return str(properties.get("Name", logical_id))


@pytest.mark.parametrize("variant", ["image", "signed_in", "whole"])
def test_nothing_is_without_an_alarm(variant: str, request: pytest.FixtureRequest) -> None:
    template = request.getfixturevalue(f"{variant}_template")
    found = watched(template)
    missing = [
        f"{kind} {logical_id}"
        for kind, (namespace, dimension) in WATCHED.items()
        for logical_id in template.of_type(kind)
        if (namespace, dimension, identity(template, kind, logical_id)) not in found
    ]

    assert missing == []


@pytest.mark.parametrize("variant", ["image", "signed_in", "whole"])
def test_every_kind_of_thing_that_works_is_accounted_for(
    variant: str, request: pytest.FixtureRequest
) -> None:
    """A new kind of resource needs an alarm, or a reason."""
    template = request.getfixturevalue(f"{variant}_template")
    passive = re.compile(
        r"AWS::(IAM|EC2|Route53Resolver|CloudWatch|XRay|Logs|CDK|CloudFront)::"
        r"|AWS::Lambda::(Alias|Version|Permission|Url|EventInvokeConfig|LayerVersion)"
        r"|AWS::ApiGatewayV2::(Stage|Route|Integration|Authorizer)|::(Queue|Topic|Bucket)Policy|Scheduler::Schedule$"
    )
    kinds = {resource["Type"] for resource in template.resources.values()}

    assert {kind for kind in kinds if not passive.search(kind)} - WATCHED.keys() - UNWATCHED.keys() == set()


def test_the_page_the_account_the_spend_and_the_questions_are_watched(image_template: Template) -> None:
    names = {
        (metric["Namespace"], metric["MetricName"])
        for alarm in image_template.of_type("AWS::CloudWatch::Alarm").values()
        for metric in metrics_of(alarm)
    }

    assert names >= {
        ("AWS/Lambda", "Url5xxCount"),
        ("AWS/Usage", "ResourceCount"),
        (DEFAULT.stack, "ModelSpend"),
        (DEFAULT.stack, "OldestQuestionShare"),
        (DEFAULT.stack, "Errors"),
    }


def test_every_alarm_rings_the_team_and_its_text_ends_with_what_answers_it(image_template: Template) -> None:
    answers = {alarm.name.lower(): alarm for alarm in EVERY}
    made = image_template.of_type("AWS::CloudWatch::Alarm") | image_template.of_type(
        "AWS::CloudWatch::CompositeAlarm"
    )
    by_name = {
        alarm["AlarmName"].removeprefix("self-heal-").replace("-", ""): alarm for alarm in made.values()
    }

    for name, alarm in by_name.items():
        row = answers[name]
        assert alarm["AlarmDescription"].endswith(f". {row.answer}")
        assert f"section {row.runbook}." in alarm["AlarmDescription"]
        silent = isinstance(row, Alarm) and row.silent
        assert bool(alarm.get("AlarmActions")) is not silent, name
    only_where_chosen = {alarm.name.lower() for alarm in ALARMS if alarm.key in CHOSEN}
    assert only_where_chosen == {"signinerrors", "canaryerrors", "canaryfailed"}
    assert answers.keys() - by_name.keys() == only_where_chosen


def test_what_rings_nobody_rings_through_a_composite() -> None:
    through = {name for composite in COMPOSITES for name in composite.of}

    assert {alarm.name for alarm in ALARMS if alarm.silent} <= through
    assert through <= {alarm.name for alarm in (*ALARMS, BAND)}
    hushing = {composite.hushed_by for composite in COMPOSITES} - {""}
    assert hushing <= {composite.name for composite in COMPOSITES}


def test_a_storm_rings_once(image_template: Template) -> None:
    composites = image_template.of_type("AWS::CloudWatch::CompositeAlarm").values()
    (steps,) = [c for c in composites if c["AlarmName"] == "self-heal-step-errors"]

    assert steps["ActionsSuppressor"].endswith(":alarm:self-heal-storm")


def test_the_runbook_has_a_section_for_every_alarm_every_error_and_every_abstention() -> None:
    vocabulary = {
        name
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, errors.SelfHealError)
    } - {"SelfHealError", "TransientError", "PermanentError"}
    alarms = {alarm.runbook for alarm in EVERY}
    wanted = alarms | vocabulary | set(ABSTENTION_CLASSES) | {"no patch could be proven"}

    assert wanted - sections() == set()
    assert sections() - wanted == set(), "nothing rings for these"


def test_saved_queries_are_over_every_function_of_ours(image_template: Template) -> None:
    queries = image_template.of_type("AWS::Logs::QueryDefinition").values()
    groups = {
        function["LoggingConfig"]["LogGroup"]
        for function in image_template.of_type("AWS::Lambda::Function").values()
    }

    assert {query["Name"].removeprefix("self-heal/") for query in queries} == QUERIES.keys()
    assert all(
        set(map(json.dumps, query["LogGroupNames"])) == set(map(json.dumps, groups)) for query in queries
    )


def test_fingerprints_and_throttled_keys_are_ranked_and_the_ranking_is_in_the_estimate(
    image_template: Template,
) -> None:
    rules = image_template.of_type("AWS::CloudWatch::InsightRule").values()
    bodies = {rule["RuleName"]: json.loads(rule["RuleBody"]) for rule in rules}
    assert bodies.keys() == {"self-heal-failing-fingerprints", "self-heal-dearest-fingerprints"}
    for body in bodies.values():
        assert body["Contribution"]["Keys"] == ["$.app", "$.fingerprint"]
        assert "/aws/lambda/self-heal-propose-patch" in body["LogGroupNames"]
    tables = image_template.of_type("AWS::DynamoDB::Table").values()
    modes = [found for table in tables if (found := table.get("ContributorInsightsSpecification"))]
    assert modes == [{"Enabled": True, "Mode": "THROTTLED_KEYS"}]
    assert len(bodies) + len(modes) == RANKINGS


def test_a_rule_is_watched_where_its_bus_counts(whole_template: Template) -> None:
    """A metric is found by all of its dimensions: of a bus of one's own, the bus is one of them."""
    rules = whole_template.of_type("AWS::Events::Rule")
    on = [
        {row["Name"]: str(row["Value"]) for row in metric["Dimensions"]}
        for alarm in whole_template.of_type("AWS::CloudWatch::Alarm").values()
        for metric in metrics_of(alarm)
        if metric["Namespace"] == "AWS/Events"
    ]
    expected = [
        {"RuleName": str(rule.get("Name", name))} | ({"EventBusName": str(bus)} if bus else {})
        for name, rule in rules.items()
        for bus in (rule.get("EventBusName"),)
    ]
    assert sorted(map(sorted, (one.items() for one in on))) == sorted(
        map(sorted, (one.items() for one in expected))
    )
    assert any("EventBusName" in one for one in on)
