"""Every permission of every function is needed: without it, a test fails (see tests/removal.py)."""

from __future__ import annotations

from typing import Any

import pytest

from infra.catalog import FUNCTIONS
from infra.spec import Spec
from tests.removal import needed, target

# What no call of ours asks for: services and the runtime use it in a function's name.
BY_AWS = {
    "kms:": "DynamoDB, S3, SNS and Systems Manager open and close what lies under the stack's key",
    "logs:CreateLogStream": "the runtime writes the function's log",
    "logs:PutLogEvents": "the runtime writes the function's log",
    "xray:": "the runtime's daemon sends traces",
}
# What the wrapper of all steps asks for; tests/unit/core/aws/test_edge.py takes it from each.
OF_EVERY_STEP = "ssm:GetParameter stopped"


def _permissions(template: Any, spec: Spec) -> set[str]:
    """As tests/removal.py names them."""
    roles = [template.role_of(spec.folder)]
    if spec.artifacts.of_one_heal:
        roles.append(template.artifacts_role_of(spec.folder))
    allowed = [s for role in roles for s in template.granted(role) if s.effect == "Allow"]
    return {
        f"{spec.folder} {s.action} {target(s.action, s.resource)}".strip()
        for s in allowed
        if not _is_used_by_aws(s)
    }


def _is_used_by_aws(statement: Any) -> bool:
    through_a_service = statement.action.startswith("kms:") and "kms:ViaService" in statement.conditions
    return through_a_service or any(
        statement.action.startswith(action) for action in BY_AWS if action != "kms:"
    )


@pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.folder)
def test_something_fails_without_each_permission_of_a_function(spec: Spec, image_template: Any) -> None:
    tested = {permission for permission in needed() if permission.split()[0] == spec.folder}
    assert _permissions(image_template, spec) - {f"{spec.folder} {OF_EVERY_STEP}"} == tested - {
        f"{spec.folder} {OF_EVERY_STEP}"
    }
