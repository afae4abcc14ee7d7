"""Entries are encrypted, and decrypted when they have changed; while one is made anew, its copy is read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import SSMProvider

from functions.core.apps.entries import BESIDE
from functions.core.apps.registry import Registry

REPOSITORY = "https://github.com/shop/{name}.git"


@dataclass
class Store:
    """Parameter Store, a registry in it that is warm, and how many values KMS was asked for."""

    registry: Registry
    ssm: Any
    now: list[float]
    decrypted: Counter[str] = field(default_factory=Counter)

    def put(self, name: str, branch: str = "main", kind: str = "SecureString") -> None:
        text = json.dumps(
            {"log_groups": [f"/{name}"], "repository": REPOSITORY.format(name=name), "branch": branch}
        )
        self.ssm.put_parameter(Name=f"/self-heal/apps/{name}", Value=text, Type=kind, Overwrite=True)

    def delete(self, name: str) -> None:
        self.ssm.delete_parameter(Name=f"/self-heal/apps/{name}")

    def branches(self, *, fresh: bool = True) -> dict[str, str]:
        return {app.name: app.branch for app in self.registry.registered(fresh=fresh)}


@pytest.fixture
def store(aws: None) -> Store:
    ssm, now = boto3.client("ssm"), [0.0]
    made = Store(Registry("/self-heal/apps", SSMProvider(boto3_client=ssm), lambda: now[0]), ssm, now)

    def count(parsed: dict[str, Any], **_: Any) -> None:
        made.decrypted.update(
            row["Name"]
            for row in parsed["Parameters"]
            if row["Type"] == "SecureString" and row["Value"][0] == "{"
        )

    ssm.meta.events.register("after-call.ssm.GetParametersByPath", count)
    for name in ("orders", "billing"):
        made.put(name)
    return made


def test_what_has_not_changed_is_decrypted_once(store: Store) -> None:
    for _ in range(50):
        assert store.branches() == {"orders": "main", "billing": "main"}
    assert store.decrypted.total() == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.put("orders", "next"),
        lambda store: (store.delete("orders"), store.put("orders", "next")),
        lambda store: store.put("new", "next"),
    ],
    ids=["written", "deleted and made anew, at the same version", "registered"],
)
def test_what_has_changed_counts_at_once(store: Store, change: Callable[[Store], Any]) -> None:
    store.branches()
    change(store)
    assert "next" in store.branches().values()
    store.delete("billing")
    assert "billing" not in store.branches()


def test_what_may_be_a_minute_old_is_not_even_listed(store: Store) -> None:
    store.branches()
    store.put("orders", "next")
    store.now[0] += 59
    assert store.branches(fresh=False)["orders"] == "main"
    store.now[0] += 1
    assert store.branches(fresh=False)["orders"] == "next"


def test_what_was_written_in_plain_text_is_read_on(store: Store) -> None:
    store.put("old", kind="String")
    assert store.branches()["old"] == "main"
    assert store.registry.app("old").branch == "main"


def test_while_an_entry_is_away_its_copy_is_read_and_once_it_is_back_no_more(store: Store) -> None:
    store.put(f"orders{BESIDE}", "copy")
    assert store.branches() == {"orders": "main", "billing": "main"}
    store.delete("orders")
    assert store.branches() == {"orders": "copy", "billing": "main"}
    assert store.registry.app("orders").branch == "copy"
    assert store.registry.apps()[1].branch == "copy"
    store.put("orders", "next")
    assert store.branches()["orders"] == store.registry.app("orders").branch == "next"
