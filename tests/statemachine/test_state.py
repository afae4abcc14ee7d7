"""What the steps read and write is what the state machine's own expressions carry, on every path."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from typing import Any

import pytest

from functions.core.source.python import Python
from functions.core.workflow.state import (
    ClaimState,
    CommitState,
    DecisionState,
    DependenciesState,
    HealState,
    OutcomeState,
    ProposalState,
    PullRequestState,
    ReviewState,
    RunState,
    SourceState,
    ValidationState,
)
from tests.statemachine.paths import PATHS, START

PARTS: dict[str, type[Any]] = {
    "ClaimIncident": ClaimState,
    "FetchSource": SourceState,
    "InstallDependencies": DependenciesState,
    "ProposePatch": ProposalState,
    "ValidatePatch": ValidationState,
    "RunPatch": RunState,
    "ReviewPatch": ReviewState,
    "CommitPatch": CommitState,
    "CreatePullRequest": PullRequestState,
    "RecordOutcome": OutcomeState,
}
"""What the function of each Task answers with."""
NAMES = {f.metadata.get("name") or f.name for f in fields(HealState)}
WIDE = "\N{GRINNING FACE}"
"""Four bytes, the most that a character takes."""
MOST_BYTES = 190_000
"""Step Functions allows 262,144; most of it is what people may write by hand, in the widest characters."""


def names_of(part: type[Any]) -> set[str]:
    return {f.metadata.get("name") or f.name for f in fields(part)}


@pytest.mark.parametrize("path", PATHS)
def test_every_step_reads_all_that_the_state_machine_gives_it(path: str, walk: Callable[..., Any]) -> None:
    walked = walk(START, PATHS[path][0])
    for task, payloads in walked.payloads.items():
        for payload in payloads if task in PARTS else ():
            assert payload.keys() - {"claimed"} <= NAMES, task
            state = HealState.from_json(payload)
            assert (state.incident_id, state.heal_id) == ("orders-1a2b", "heal-1")
            again = HealState.from_json(state.to_state())
            assert again == state, "written and read again"


@pytest.mark.parametrize("path", PATHS)
def test_results_of_steps_are_parts_of_the_state(path: str) -> None:
    """So that what the other tests of the paths assume is what functions answer."""
    for task, results in PATHS[path][0].items():
        for result in results if task in PARTS else ():
            assert result.keys() <= names_of(PARTS[task]), task


def test_the_decision_is_what_the_state_machine_makes_of_an_answer(walk: Callable[..., Any]) -> None:
    walked = walk(START, PATHS["healed at the first try"][0])
    (payload,) = walked.payloads["CommitPatch"]
    assert payload["decision"].keys() == names_of(DecisionState)
    assert HealState.from_json(payload).decision.by == "ana"


def test_what_is_not_known_is_ignored_and_what_is_missing_says_none() -> None:
    later = {"incident_id": "i", "source": {"key": "k", "more": {"of": "it"}}, "verification": [1]}
    state = HealState.from_json(later)
    assert (state.source.key, state.pull_request.url, state.validation.verdict) == ("k", "", "")
    assert state.source.python == Python.from_json(None)


@pytest.mark.parametrize("value", ["true", 1, None, {}])
def test_only_true_is_true(value: Any) -> None:
    """Else a state that somebody wrote might let a callback decide that may not."""
    assert HealState.from_json({"callback_decides": value}).callback_decides is False


def largest(kind: type[Any]) -> Any:
    """A part with as much in each field as a step may put there."""
    return kind(**{f.name: _most(f, getattr(kind(), f.name)) for f in fields(kind)})


def _most(f: Field[Any], empty: Any) -> Any:
    if f.name in ("questions", "run", "build") and "read" in f.metadata:
        made = largest(type(f.metadata["read"]([{}])[0])) if f.name == "questions" else None
        return (made,) * 100 if made else None
    if empty is None and is_dataclass(part := getattr(f.metadata.get("read"), "__self__", None)):
        return largest(part) if isinstance(part, type) else None
    if isinstance(empty, Python):
        return Python("3.14", "w" * 500, True)
    if is_dataclass(empty):
        return largest(type(empty))
    if isinstance(empty, str):
        return WIDE * 20_000
    return (WIDE * 20_000,) * 100 if isinstance(empty, tuple) else 10**9


def test_the_state_at_its_worst_is_far_below_what_step_functions_allows() -> None:
    state = largest(HealState).to_state()
    size = len(json.dumps(state, ensure_ascii=False).encode())
    # What people ask for is bounded by the state machine, in characters, and stands there twice.
    size += 2 * 10_000 * (len(WIDE.encode()) - 1)
    assert 30_000 < size < MOST_BYTES, size
