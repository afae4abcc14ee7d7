"""ProposePatch as deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.proposing import Deployed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@pytest.fixture
def deployed(incidents_table: Table, monkeypatch: pytest.MonkeyPatch, request: Any) -> Deployed:
    registry = f"/{request.function.__name__}/apps"
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    monkeypatch.setenv("REGISTRY_PATH", registry)
    return Deployed(incidents_table, registry)
