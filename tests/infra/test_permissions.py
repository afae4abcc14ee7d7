"""Every permission of every function is needed: without it, a test fails (see tests/removal.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from infra.catalog import EVERY, RUNNER
from infra.spec import Spec
from tests.removal import needed, target

if TYPE_CHECKING:
    from tests.infra.conftest import Template

# What no call of ours asks for: services and the runtime use it in a function's name.
BY_AWS = (
    "sqs:SendMessage",  # what becomes of an event that failed
    "xray:",
    "ec2:",  # the interfaces of a function in a VPC, which Lambda makes
)
# What the wrapper of all steps asks for; tests/unit/core/aws/test_edge.py takes it from each.
OF_EVERY_STEP = "ssm:GetParameter stopped"


def _permissions(template: Any, spec: Spec) -> Iterator[str]:
    """As tests/removal.py names them. What the key allows to keep what failed is in test_service_roles.py."""
    roles = [template.role_of(spec.folder)]
    if spec.artifacts.of_one_heal:
        roles.append(template.artifacts_role_of(spec.folder))
    own_logs = f"log-group:{template.function(spec.folder)['LoggingConfig']['LogGroup']}:"
    for role in roles:
        for statement in template.granted(role):
            ours = statement.effect == "Allow" and not statement.action.startswith(BY_AWS)
            if not ours or own_logs in statement.resource:
                continue
            conditions = json.loads(statement.conditions)
            via = conditions.get("StringEquals", {}).get("kms:ViaService", "").partition(".")[0]
            if via != "sqs":
                action = statement.action.replace("ObjectVersion", "Object")
                yield f"{action} {via or target(action, statement.resource)}".strip()


@pytest.mark.parametrize("spec", [spec for spec in EVERY if spec is not RUNNER], ids=lambda spec: spec.folder)
def test_something_fails_without_each_permission_of_a_function(
    spec: Spec, image_template: Template, whole_template: Template, running_template: Template
) -> None:
    """In whatever stack: with all log groups, with sign-in, with a canary, with MicroVMs."""
    with_it = [t for t in (image_template, whole_template, running_template) if t.has(spec.folder)]
    allowed = {name for template in with_it for name in _permissions(template, spec)} - {OF_EVERY_STEP}
    removed = {
        rest for folder, _, rest in (name.partition(" ") for name in needed()) if folder == spec.folder
    }
    assert allowed
    assert allowed == removed - {OF_EVERY_STEP}
