"""Every permission of every function is needed: without it, a test fails (see tests/removal.py)."""

from __future__ import annotations

from typing import Any

import pytest

from infra.catalog import FUNCTIONS
from infra.spec import Spec
from tests.removal import needed, target

# What no call of ours asks for: services and the runtime use it in a function's name.
BY_AWS = (
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:SendMessage",  # what becomes of an event that failed
    "xray:",
)
# What the unit tests replace, and the end-to-end tests use with IAM enforced.
BY_RUNS = {
    "create_pull_request": ("sts:AssumeRole", "sts:TagSession"),
    "decide_approval": ("ssm:GetParameter link-key", "states:GetExecutionHistory"),
    "review_patch": ("bedrock:InvokeModel", "ssm:GetParameter apps", "sts:AssumeRole", "sts:TagSession"),
    "run_patch": ("s3:GetObject", "s3:PutObject"),
    "track_pull_requests": (
        "lambda:ListTags",
        "ssm:GetParameter credentials",
        "ssm:GetParametersByPath apps",
    ),
}
# Nothing fails without these yet.
OPEN = {
    "await_approval": ("states:GetExecutionHistory",),
    "fetch_source": ("lambda:GetFunction",),
    "propose_patch": ("bedrock:ApplyGuardrail", "bedrock:CountTokens"),
    "review_patch": ("bedrock:ApplyGuardrail", "bedrock:GetPromptRouter", "ssm:GetParameter model"),
    "track_pull_requests": ("lambda:GetFunctionConfiguration",),
    "validate_patch": ("s3:ListBucket",),
}
# What the wrapper of all steps asks for; tests/unit/core/aws/test_edge.py takes it from each.
OF_EVERY_STEP = "ssm:GetParameter stopped"


def _permissions(template: Any, spec: Spec) -> set[str]:
    """As tests/removal.py names them. What keys allow through services, these use."""
    roles = [template.role_of(spec.folder)]
    if spec.artifacts.of_one_heal:
        roles.append(template.artifacts_role_of(spec.folder))
    allowed = [
        statement
        for role in roles
        for statement in template.granted(role)
        if statement.effect == "Allow"
        and "kms:ViaService" not in statement.conditions
        and not statement.action.startswith(BY_AWS)
    ]
    return {
        f"{s.action.replace('ObjectVersion', 'Object')} {target(s.action, s.resource)}".strip()
        for s in allowed
    }


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.folder)
def test_something_fails_without_each_permission_of_a_function(spec: Spec, image_template: Any) -> None:
    removed = {
        rest for folder, _, rest in (name.partition(" ") for name in needed()) if folder == spec.folder
    }
    others = {*BY_RUNS.get(spec.folder, ()), *OPEN.get(spec.folder, ())}
    assert not removed & others
    assert _permissions(image_template, spec) - {OF_EVERY_STEP} == (removed | others) - {OF_EVERY_STEP}
