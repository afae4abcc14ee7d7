"""What the README lets a CodeBuild project's role do: the code under test could do the same."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "README.md"
BUCKET = "arn:aws:s3:::artifacts"
OWN = f"{BUCKET}/builds/self-heal-orders/heal-1/1-9f"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/data"
THROUGH_S3 = {"kms:viaservice": "s3.eu-central-1.amazonaws.com"}


@pytest.fixture(scope="module")
def policy() -> Any:
    (text,) = re.findall(r"```json\n(\{\"Version\".*?)```", README.read_text(), re.S)
    return json.loads(text.replace("BUCKET", "artifacts").replace('"KEY"', json.dumps(KEY)))


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
    action: str, resource: str, context: dict[str, str], allowed: bool, policy: Any
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
