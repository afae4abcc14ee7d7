"""Tags of buckets that a template makes."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.embedded

TEMPLATE = json.dumps(
    {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "of", "Value": "us"}]}}}}
)


@pytest.mark.parametrize(("which", "found"), [("ministack", 0), ("aws", 1)])
def test_a_bucket_of_a_template_is_found_by_its_tags(
    which: str, found: int, unique: str, request: pytest.FixtureRequest
) -> None:
    session: Any = request.getfixturevalue(which)
    formation = session.client("cloudformation")
    formation.create_stack(StackName=unique, TemplateBody=TEMPLATE)
    formation.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig={"Delay": 1})

    tagged = session.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "of", "Values": ["us"]}]
    )

    assert len(tagged["ResourceTagMappingList"]) == found
