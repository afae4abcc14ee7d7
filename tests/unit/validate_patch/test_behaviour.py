"""The behaviour table's choice of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.experiment import Calls
from functions.validate_patch.behaviour import rows
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.rules import Rules
from functions.validate_patch.tree import File


def line(call: str, shown: str) -> dict[str, Any]:
    return {"call": call, "imports": [], "shown": shown}


@pytest.mark.parametrize(
    ("worked", "failing", "first"),
    [
        ("mean([1])", ['mean("")', "mean([])"], "mean([])"),
        ("mean(values=[1])", ['mean(values="")', "mean(values=[])"], "mean(values=[])"),
        ("mean([1], 2)", ['mean("", 0)', "mean([], 10)"], "mean([], 10)"),
        ("median([1])", ['mean("")', "mean([])"], 'mean("")'),
        ("Box(1).mean([1])", ['Box(1).mean("")', "Box(1).mean([])"], "Box(1).mean([])"),
        ("box = Box(); box.mean()", ["box = Box(); box.mean()"], "box = Box(); box.mean()"),
    ],
)
def test_of_calls_that_end_alike_the_one_whose_arguments_are_as_usual_is_shown(
    worked: str,
    failing: list[str],
    first: str,
    facts_of: Callable[..., ValidationContext],
    propose: Callable[..., Proposal],
) -> None:
    source = "return sum(values) / len(values)"
    context = facts_of("ZeroDivisionError", ("a.py", 2, "mean", source), message="division by zero")
    tree = {"a.py": File(f"def mean(values):\n    {source}\n".encode())}
    candidate = Candidate(tree, tree, (), propose(), context, Rules.of(context.app, tree))
    mended = [({"call": call, "imports": [], "exact": True}, line(call, "0.0")) for call in failing]
    calls = Calls([(line(worked, "1.0"), line(worked, "1.0"))], mended, (), (), frozenset(), whole=True)
    assert rows(candidate, calls)[0].call == first
