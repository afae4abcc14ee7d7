"""Tags that a template gives a bucket: by them it is found once its stack is gone."""

from __future__ import annotations

from typing import Any

from infra.local.gaps.patching import service


def fill() -> None:
    handler = service("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create = handler["create"]

    def tagged(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        made = create(logical_id, properties, stack_name)
        tags = {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("Tags", [])}
        if tags:
            service("services.s3")._bucket_tags[made[0]] = tags
        return made

    handler["create"] = tagged
