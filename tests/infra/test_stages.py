"""Several deployments in one account: whatever has a name has the stage in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from infra.names import TAG, Names

if TYPE_CHECKING:
    from tests.infra.conftest import Template

# A name that a template gives: CloudFormation makes the others, which begin with the stack's.
_NAMES = (
    *("AlarmName", "DashboardName", "FunctionName", "GroupName", "LogGroupName", "StateMachineName"),
    *("BudgetName", "Name"),
)
# Called so for everybody: a version's or an alias's function has the name itself.
_OTHERS = {"live", "Isolated", "by_app"}


def names(value: Any) -> set[str]:
    """Every name that is given somewhere in resources."""
    if isinstance(value, list):
        return {name for each in value for name in names(each)}
    if not isinstance(value, dict):
        return set()
    own = {value[key] for key in _NAMES if isinstance(value.get(key), str)}
    return own | {name for inner in value.values() for name in names(inner)}


def test_no_name_is_that_of_another_deployment(beta_template: Template, zip_template: Template) -> None:
    beta = names({name: row["Properties"] for name, row in beta_template.resources.items()}) - _OTHERS
    default = names({name: row["Properties"] for name, row in zip_template.resources.items()}) - _OTHERS
    ours = {name for name in beta if "self-heal" in name or "SelfHealing" in name}

    assert len(ours) > 60
    assert not ours & default
    assert all("beta" in name for name in ours)


def test_functions_of_one_reach_no_parameter_of_another(beta_template: Template) -> None:
    text = json.dumps(beta_template.of_type("AWS::IAM::Policy"))

    assert re.findall(r"parameter/self-heal/", text) == []
    assert "parameter/self-heal-beta/apps" in text


def test_everything_that_can_bear_a_tag_says_whose_it_is_and_the_budget_counts_it(
    beta_template: Template,
) -> None:
    (budget,) = beta_template.of_type("AWS::Budgets::Budget").values()
    tagged = [
        row["Properties"]["Tags"] for row in beta_template.resources.values() if "Tags" in row["Properties"]
    ]

    assert len(tagged) > 30
    assert all(TAG in json.dumps(tags) for tags in tagged)
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": [f"user:{TAG}${Names('beta').stack}"]}
    (told,) = {row["Subscribers"][0]["Address"] for row in budget["NotificationsWithSubscribers"]}
    policies = beta_template.of_type("AWS::SNS::TopicPolicy").values()
    allowed = [
        statement
        for policy in policies
        if policy["Topics"] == [told]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "BudgetNotifies"
    ]
    assert allowed
