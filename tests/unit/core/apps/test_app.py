"""Registry entries: what is wrong is said by name."""

from __future__ import annotations

from typing import Any

import pytest

from functions.core.apps.app import App
from functions.core.workflow.errors import AppInvalid

BEDROCK = "arn:aws:bedrock:eu-west-1:123456789012"
GOOD: dict[str, Any] = {
    "log_groups": ["/aws/lambda/orders"],
    "repository": "https://github.com/shop/orders.git",
}


def test_an_entry_needs_little_and_round_trips() -> None:
    app = App.from_json("orders", GOOD)
    assert (app.slug, app.branch, app.max_attempts) == ("shop/orders", "main", 3)
    assert App.from_json("orders", app.to_json()) == app


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_groups": []}, "'log_groups' is required"),
        ({"repository": ""}, "'repository' is required"),
        ({"repository": "git@github.com:shop/orders.git"}, "'repository' must be an https URL"),
        ({"repository": "https://token@github.com/shop/orders.git"}, "without credentials"),
        ({"repository": "http://github.com/shop/orders.git"}, "must use https"),
        ({"forge_api": "ftp://x"}, "'forge_api' must be an https URL"),
        ({"credentials": "/self-heal/credentials/payments"}, "can only be the app's own"),
        (
            {"repository": "https://gitlab.com/shop/orders.git", "forge_api": "https://api.github.com"},
            "not of the repository's host gitlab.com",
        ),
        ({"forge_api": "https://api.github.com.evil.example"}, "not of the repository's host"),
        ({"forge_api": "https://github.com:8443/api/v3"}, "not of the repository's host"),
        ({"max_heals_per_hour": 0}, "must be from 1 to"),
        ({"log_groups": "x"}, "'log_groups' must be a list of strings, such as"),
        ({"reviewers": [1]}, "'reviewers' must be a list of strings"),
        ({"source_roots": ["x"]}, "'source_roots' must map strings to strings"),
        ({"model": f"{BEDROCK}:custom-model/amazon.nova-pro-v1:0/abcdefghijkl"}, "through a deployment or"),
        ({"review_model": f"{BEDROCK}:prompt/ABCDEFGHIJ:1"}, "a prompt of prompt management"),
        (
            {"fallback_models": ["arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x"]},
            "endpoint of SageMaker",
        ),
        ({"model": "arn:aws:s3:::bucket"}, "is no ARN of a model"),
        ({"model": f"{BEDROCK}:guardrail/abc"}, "is a guardrail, which is no model"),
        ({"effort": "extreme"}, "'effort' must be one of low, medium, high, xhigh, max"),
        ({"answer_tokens": 100}, "'answer_tokens' must be at least 1024"),
        ({"prices": {"m": [1]}}, "'prices' must map each model id to"),
        ({"prices": {"m": [1, "2"]}}, "'prices' must map each model id to"),
        ({"prices": {"m": [1, -2]}}, "'prices' must map each model id to"),
        ({"prices": [1, 2]}, "'prices' must map each model id to"),
        ({"max_attempts": "3"}, "'max_attempts' must be a whole number"),
        ({"max_attempts": True}, "'max_attempts' must be a whole number"),
        ({"daily_budget_usd": "much"}, "'daily_budget_usd' must be a number"),
        ({"guardrail": "a b"}, "'guardrail' must be ID or ID:VERSION"),
        ({"guardrail": "ab12:latest"}, "'guardrail' must be ID or ID:VERSION"),
        ({"max_attempts": 0}, "'max_attempts' must be >= 1"),
        ({"gone_after_hours": -1}, "'gone_after_hours' must be from 0 to 2,160"),
        ({"deployed_within_hours": 1e9}, "'deployed_within_hours' must be from 0"),
        ({"daily_budget_usd": -1}, "'daily_budget_usd' >= 0"),
        ({"approvals_needed": 3, "approvers": ["a", "b", "c"]}, "'approvals_needed' must be 1 or 2"),
        ({"approvals_needed": 2, "approvers": ["ana", "Ana"]}, "name at least two 'approvers'"),
        ({"approvals_needed": 2, "approvers": ["ana@b.example", "ana+2@b.example"]}, "who are two people"),
        ({"approvers": ["slack:ana"]}, "write a Slack user's id"),
        ({"approvers": ["slack:U012AB3CD (ana)"]}, "write a Slack user's id"),
        ({"commit_author": "bot@shop.example"}, "'commit_author' must be like"),
        ({"commit_author": "A <a@b>\nparent 0"}, "'commit_author' must be like"),
        ({"certificate_authority": "ca.pem"}, "'certificate_authority' must hold certificates in PEM"),
        ({"slack_buttons": 1}, "'slack_buttons' must be true or false"),
        ({"codebuild_project": "nightly"}, "begins with 'self-heal-'"),
        ({"codebuild_project": "self-heal-"}, "begins with 'self-heal-'"),
        ({"codebuild_project": "self-heal-x/../y"}, "begins with 'self-heal-'"),
        ({"python": "3"}, "'python' must be a version such as \"3.12\", or empty"),
        ({"python": "3.12.4"}, "'python' must be a version"),
        ({"python": "3.12 --index-url x"}, "'python' must be a version"),
        ({"branhc": "main"}, "unknown field 'branhc'"),
    ],
)
def test_a_broken_entry_names_the_field_and_the_rule(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AppInvalid, match=message):
        App.from_json("orders", GOOD | change)


def test_the_api_is_the_repositorys_hosts_unless_the_entry_says_so() -> None:
    assert App.from_json("orders", GOOD).forge_api == "https://api.github.com"
    ours = GOOD | {"repository": "https://git.shop.example/shop/orders.git"}
    assert App.from_json("orders", ours).forge_api == "https://git.shop.example/api/v3"


@pytest.mark.parametrize("name", ["", "Orders", "1st", "a" * 41, "a/b", "a b"])
def test_names_are_safe_in_branches_paths_and_keys(name: str) -> None:
    with pytest.raises(AppInvalid, match="app name"):
        App.from_json(name, GOOD)


def test_an_entry_must_be_an_object() -> None:
    with pytest.raises(AppInvalid, match="JSON object"):
        App.from_json("orders", ["log_groups"])
