"""Wrong and hostile patches are stopped by the gate that is there for them; honest ones pass all gates."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions.core.evidence import Result
from functions.core.facts import Facts
from functions.core.proposal import Proposal
from functions.harness.runner import Runner
from functions.validate_patch import order
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import Validation, validate

DATA = Path(__file__).parents[2] / "data" / "validate"


def _cases(pattern: str) -> list[dict[str, Any]]:
    """The cases of all files that match; `<>` in their texts only keeps secrets from looking like ones."""
    texts = (path.read_text().replace("<>", "") for path in sorted(DATA.glob(pattern)))
    return [case for text in texts for case in tomllib.loads(text)["case"]]


WRONG, HONEST = _cases("wrong*.toml"), _cases("honest*.toml")


@pytest.fixture
def judge(
    tree_for: Callable[..., Tree],
    incidents: dict[str, Facts],
    propose: Callable[..., Proposal],
    runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[dict[str, Any]], Validation]:
    """Put a case from the data files through all gates.

    Each reproduction runs once here: hundreds of cases; other tests are about the repetition.
    """
    monkeypatch.setattr(order, "TIMES", 1)

    def run(case: dict[str, Any]) -> Validation:
        proposal = propose(*map(tuple, case["edits"]), test=case.get("test", ""))
        tree = tree_for(case["incident"], case.get("links"))
        return validate(tree, proposal, incidents[case["incident"]], "0" * 40, runner)

    return run


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["name"])
def test_wrong_patch_is_rejected(case: dict[str, Any], judge: Callable[[dict[str, Any]], Validation]) -> None:
    result = judge(case)
    assert not result.evidence.accepted
    failed = [gate for gate in result.evidence.gates if gate.result is Result.FAIL]
    assert failed[0].gate == case["gate"], result.evidence.findings
    assert any(case["why"] in finding for finding in failed[0].findings), failed[0].findings


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case["name"])
def test_honest_patch_is_accepted(
    case: dict[str, Any], judge: Callable[[dict[str, Any]], Validation]
) -> None:
    result = judge(case)
    assert result.evidence.accepted, result.evidence.findings
    assert result.proven, result.reason
