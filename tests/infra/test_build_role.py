"""What a CodeBuild project's role may do: the code under test could do the same.

Of the role that .github/PROOF.md prints for an app's own project, and of that of the stack's own project.
"""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.apps.app import PROJECT_PREFIX

if TYPE_CHECKING:
    from tests.infra.conftest import Template

PROOF = Path(__file__).parents[2] / ".github/PROOF.md"
BUCKET = "arn:aws:s3:::artifacts"
PROJECT = f"{PROJECT_PREFIX}orders"
OWN = f"{BUCKET}/builds/{PROJECT}/heal-1/1-9f"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/data"
THROUGH_S3 = {"kms:viaservice": "s3.eu-central-1.amazonaws.com"}


@pytest.fixture(scope="module", params=["of the page", "of the stack's own project"])
def policy(request: pytest.FixtureRequest, running_template: Template) -> dict[str, Any]:
    """The policy, for a project that is called self-heal-orders."""
    if request.param == "of the page":
        (text,) = re.findall(r"```json\n(\{\"Version\".*?)```", PROOF.read_text(), re.S)
        names = {"BUCKET": "artifacts", '"KEY"': json.dumps(KEY)}
    else:
        (project,) = running_template.of_type("AWS::CodeBuild::Project").values()
        role = project["ServiceRole"].rsplit("/", 1)[1]
        text = json.dumps({"Version": "2012-10-17", "Statement": list(running_template.documents(role))})
        bucket = running_template.arn("Artifacts", "AWS::S3::Bucket")
        names = {
            bucket: BUCKET,
            running_template.arn("DataKey", "AWS::KMS::Key"): KEY,
            project["Name"]: PROJECT,
        }
    for name, instead in names.items():
        text = text.replace(name, instead)
    document: dict[str, Any] = json.loads(text)
    return document


def test_the_stack_makes_a_project_only_where_it_is_told_to(
    image_template: Template, running_template: Template
) -> None:
    (project,) = running_template.of_type("AWS::CodeBuild::Project").values()

    assert project["Name"].startswith(PROJECT_PREFIX)
    assert project["Environment"]["Image"] == "aws/codebuild/standard:7.0"
    assert not image_template.of_type("AWS::CodeBuild::Project")
    groups = running_template.of_type("AWS::Logs::LogGroup").values()
    (kept,) = [
        row["RetentionInDays"] for row in groups if row["LogGroupName"].endswith(f"/{project['Name']}")
    ]
    assert kept == 90


@pytest.mark.parametrize(
    ("action", "resource", "context", "allowed"),
    [
        ("s3:GetObject", f"{OWN}/source.zip", {}, True),
        ("s3:PutObject", f"{OWN}/results/report.json", {}, True),
        ("kms:Decrypt", KEY, THROUGH_S3, True),
        ("kms:GenerateDataKey", KEY, THROUGH_S3, True),
        ("kms:Decrypt", KEY, {}, False),
        ("kms:Decrypt", KEY, {"kms:viaservice": "ssm.eu-central-1.amazonaws.com"}, False),
        ("s3:PutObject", f"{OWN}/source.zip", {}, False),
        ("s3:GetObject", f"{OWN}/results/report.json", {}, False),
        ("s3:GetObject", f"{OWN.replace('orders', 'billing')}/source.zip", {}, False),
        ("s3:PutObject", f"{OWN.replace('orders', 'billing')}/results/report.json", {}, False),
        ("s3:GetObject", f"{BUCKET}/orders-1/heal-1/source.tar.gz", {}, False),
        ("s3:PutObject", f"{BUCKET}/orders-1/heal-1/1/evidence.json", {}, False),
        ("s3:PutObject", f"{BUCKET}/orders-1/heal-1/1/patch.diff", {}, False),
        ("s3:PutObject", f"{BUCKET}/dependencies/1.tar.gz", {}, False),
        ("s3:ListBucket", BUCKET, {}, False),
        ("logs:PutLogEvents", "arn:aws:logs:eu-central-1:1:log-group:/aws/lambda/orders:*", {}, False),
    ],
)
def test_a_build_reaches_its_own_folder_and_nothing_else_of_a_heal(
    action: str, resource: str, context: dict[str, str], allowed: bool, policy: dict[str, Any]
) -> None:
    iam: Any = import_module("ministack.core.iam_evaluator")
    request = iam.EvalContext(
        principal_arn="arn:aws:iam::111122223333:role/self-heal-orders",
        principal_type="AssumedRole",
        principal_account="111122223333",
        action=action,
        resource_arn=resource,
        region="eu-central-1",
        service_context=context,
    )
    decision = str(iam.evaluate(request, [iam.parse_policy_document(policy)]).decision)
    assert decision == ("Allow" if allowed else "ImplicitDeny")
