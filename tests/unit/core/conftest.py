"""What tests of several threads need of moto."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from moto.dynamodb.responses import DynamoHandler


@pytest.fixture
def atomic_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB serves each request on an item as one; moto lets another thread in between."""
    lock, call_action = threading.Lock(), DynamoHandler.call_action

    def one_at_a_time(handler: DynamoHandler) -> Any:
        with lock:
            return call_action(handler)

    monkeypatch.setattr(DynamoHandler, "call_action", one_at_a_time)
