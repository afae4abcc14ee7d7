"""Functions whose tags say which repository is theirs."""

from __future__ import annotations

from functions.core.apps.discovery import REPOSITORY
from functions.core.apps.families import ANY
from infra.target import Target


def tagged(target: Target) -> dict[str, str]:
    """Those of this account and region by name, and the repository that each one's tag names."""
    client = target.session.client("resourcegroupstaggingapi")
    pages = client.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["lambda:function"], TagFilters=[{"Key": REPOSITORY}]
    )
    rows = [row for page in pages for row in page["ResourceTagMappingList"]]
    return {
        row["ResourceARN"].rpartition(":")[2]: tag["Value"]
        for row in rows
        for tag in row["Tags"]
        if tag["Key"] == REPOSITORY
    }


def families(target: Target, begins: str = "") -> list[str]:
    """The families that would cover them, by address. begins: what these begin with."""
    found = {f"{tag.rpartition('/')[0]}/{ANY}" for tag in tagged(target).values()}
    return sorted(one for one in found if one.startswith(begins))
