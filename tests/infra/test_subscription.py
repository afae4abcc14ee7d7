"""Which log lines reach detect_errors, and which log groups never may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.aws.names import is_own_log_group
from infra.catalog import EVERY, FUNCTIONS
from infra.local.gaps.log_patterns import compile_pattern
from infra.names import DEFAULT, Names
from infra.subscription import (
    FILTER_PATTERN,
    OwnLogGroup,
    checked_log_group,
    own_log_groups,
    selection_criteria,
)

if TYPE_CHECKING:
    from tests.infra.conftest import Template

ERRORS = {
    "printed": "Traceback (most recent call last):",
    "uncaught, text": "[ERROR] KeyError: 'price'\nTraceback (most recent call last):\n  File …",
    "uncaught, JSON": json.dumps({"errorType": "KeyError", "errorMessage": "'price'", "stackTrace": []}),
    "a structured logger": json.dumps({"level": "error", "exception": "KeyError: 'price'"}),
    "out of time": "2026-01-01T00:00:00Z 5f0c Task timed out after 3.00 seconds",
    "out of memory": "RequestId: 5f0c Error: Runtime exited with error: signal: killed",
    "a group": "  + Exception Group Traceback (most recent call last):",
    "an error record": "2026-11-20 10:00:00,123 ERROR orders could not reach the ledger",
    "out of time, reported": "REPORT RequestId: 5f0c Duration: 3000 ms Status: timeout",
    "killed by the kernel": "Memory cgroup out of memory: Killed process 17 (python)",
    "killed by Kubernetes": "reason: OOMKilled exitCode: 137",
    "killed by ECS": "OutOfMemoryError: Container killed due to memory usage",
    "gunicorn": "[CRITICAL] WORKER TIMEOUT (pid:17)",
    "Celery": "Hard time limit (300s) exceeded for orders.ship[1]",
    "uWSGI": "*** HARAKIRI ON WORKER 1 (pid: 17, try: 1) ***",
    "the interpreter": "Fatal Python error: Segmentation fault",
    "no module": "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'x'",
}
ORDINARY = {
    "start": "START RequestId: 5f0c Version: $LATEST",
    "report": "REPORT RequestId: 5f0c Duration: 3.10 ms Billed Duration: 4 ms Memory Size: 128 MB",
    "info": "[INFO] order 17 shipped",
    "a logged word": "0 errors found",
}


@pytest.mark.parametrize("line", ERRORS.values(), ids=ERRORS)
def test_an_error_passes_the_filter(line: str) -> None:
    assert compile_pattern(FILTER_PATTERN)(line)


@pytest.mark.parametrize("line", ORDINARY.values(), ids=ORDINARY)
def test_an_ordinary_line_does_not(line: str) -> None:
    assert not compile_pattern(FILTER_PATTERN)(line)


def test_the_pattern_is_short_enough_for_cloudwatch() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html"""
    assert len(FILTER_PATTERN) <= 1024


@pytest.mark.parametrize(
    "log_group",
    [
        *(f"/aws/lambda/{DEFAULT.function(spec.folder)}" for spec in FUNCTIONS),
        "/aws/vendedlogs/states/self-heal-workflow",
        "/aws/codebuild/self-heal-orders",
        "/central/222222222222/aws/lambda/self-heal-beta-detect-errors",
    ],
)
def test_this_systems_own_log_groups_are_refused(log_group: str) -> None:
    with pytest.raises(OwnLogGroup, match="its own errors"):
        checked_log_group(log_group)


@pytest.mark.parametrize("log_group", ["/aws/lambda/orders", "/ecs/self-heal-fan-club", "self-heal-x"])
def test_log_groups_of_others_are_welcome(log_group: str) -> None:
    assert checked_log_group(log_group) == log_group


def test_one_policy_delivers_every_log_group_to_detect_errors(whole_template: Template) -> None:
    (policy,) = whole_template.of_type("AWS::Logs::AccountPolicy").values()

    document = json.loads(policy["PolicyDocument"])
    assert document["FilterPattern"] == FILTER_PATTERN
    assert document["DestinationArn"].endswith(":function:self-heal-detect-errors:live")
    assert (policy["PolicyType"], policy["Scope"]) == ("SUBSCRIPTION_FILTER_POLICY", "ALL")
    (made,) = [r for r in whole_template.resources.values() if r["Type"] == "AWS::Logs::AccountPolicy"]
    assert any("LogsMayInvoke" in name for name in made["DependsOn"]), "else AWS refuses it"


def test_no_log_group_of_the_stack_is_delivered(whole_template: Template) -> None:
    """Each delivery writes to some of them: this system would react to itself without end."""
    (policy,) = whole_template.of_type("AWS::Logs::AccountPolicy").values()
    names = json.loads(policy["SelectionCriteria"].removeprefix("LogGroupName NOT IN "))
    groups = {group["LogGroupName"] for group in whole_template.of_type("AWS::Logs::LogGroup").values()}
    functions = {
        f"/aws/lambda/{function['FunctionName']}"
        for function in whole_template.of_type("AWS::Lambda::Function").values()
    }
    builds = {
        f"/aws/codebuild/{project['Name']}"
        for project in whole_template.of_type("AWS::CodeBuild::Project").values()
    }

    assert builds
    assert len(functions) == len(EVERY)
    assert (groups | functions | builds) - {DEFAULT.canary} <= set(names)
    assert DEFAULT.canary in groups - set(names), "whose errors are to be found"
    assert all(map(is_own_log_group, names)), "nor would be one of another stage"


def test_the_selection_is_short_enough_for_cloudwatch() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutAccountPolicy.html"""
    assert len(selection_criteria(Names("a" * 12)).encode()) <= 25 * 1024
    assert len(own_log_groups(DEFAULT)) == len(set(own_log_groups(DEFAULT)))


def test_only_then_detect_errors_may_read_tags_and_keep_what_they_say(
    whole_template: Template, zip_template: Template
) -> None:
    def more(template: Any) -> set[tuple[str, str]]:
        return {
            (one.action, one.resource.split(":", 3)[3])
            for one in template.granted(template.role_of("detect_errors"))
            if one.action in ("lambda:ListTags", "ssm:GetParameter", "ssm:PutParameter")
        }

    here = "eu-central-1:111122223333"
    kept = f"{here}:parameter/self-heal/apps/discovered/*"
    assert more(whole_template) - more(zip_template) == {
        ("lambda:ListTags", f"{here}:function:*"),
        ("ssm:GetParameter", kept),
        ("ssm:PutParameter", kept),
    }
    assert zip_template.of_type("AWS::Logs::AccountPolicy") == {}
    assert "DISCOVERS" not in zip_template.function("detect_errors")["Environment"]["Variables"]
