"""A heal under way while a new version is deployed goes on: its definition stays, the functions change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.core.workflow.state import HealState
from tests.statemachine.conftest import Evaluate, walker
from tests.statemachine.paths import PATHS, START

BEFORE = Path(__file__).parents[1] / "data" / "upgrade"
DEFINITION: dict[str, Any] = json.loads((BEFORE / "self_heal.asl.json").read_text())
PAYLOADS: dict[str, list[dict[str, Any]]] = json.loads((BEFORE / "payloads.json").read_text())


def lost(was: Any, now: Any, at: str = "") -> Iterator[str]:
    """What does not read as it was written."""
    if not isinstance(was, dict) or not isinstance(now, dict):
        if was != now:
            yield at
        return
    for name, value in was.items():
        yield from lost(value, now.get(name), f"{at}.{name}")


@pytest.mark.parametrize("task", PAYLOADS)
def test_each_function_reads_all_that_the_earlier_definition_gives_it(task: str) -> None:
    for payload in PAYLOADS[task]:
        read = HealState.from_json(payload).to_state()
        # The choice after ClaimIncident has done with it.
        assert set(lost(payload, read)) <= {".claimed"}


@pytest.mark.parametrize("path", PATHS)
def test_the_earlier_definition_ends_where_this_one_does(
    path: str, walk: Callable[..., Any], evaluate: Evaluate
) -> None:
    """But for what it has no state for, and what goes back behind CommitPatch."""
    results = PATHS[path][0]
    now = walk(START, results)
    back = {to for state, to in now.edges if state == "IsCommitted"} - {"CreatePullRequest"}
    if set(now.visited) <= {*DEFINITION["States"], "IsCommitted"} and not back:
        assert walker(DEFINITION, evaluate)(START, results).visited[-1] == now.visited[-1]
    else:
        assert {"AlreadyFixed", "Joined", "KeepProven", "IsCommitted"} & set(now.visited)
