"""What is read of a patch refuses no right one: neither its powers, nor its checks, nor its text."""

from __future__ import annotations

import pytest

from functions.core.workflow.evidence import Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import RUNNING, conclude, examine, not_run
from tests import harm
from tests.validate_cases import cases

ELSEWHERE = {"csvsum, no_column: a clear error: aims"}
"""A right fix that also changes who calls the functions of the traceback: refused for that, not for what it
may do. `tests/bench/bench_patches.py` counts it."""


def refused_by(tree: Tree, proposal: Proposal, context: ValidationContext) -> list[str]:
    """The gates that fail where nothing is run."""
    examined = examine(tree, proposal, context)
    gates = not_run(*RUNNING, why="not asked")
    evidence = conclude(examined, examined.candidate, gates, "0" * 40).evidence
    return [gate.gate for gate in evidence.gates if gate.result is Result.FAIL]


def test_no_right_fix_of_the_corpus_is_refused_by_reading() -> None:
    right = [one for one in cases() if one.right]
    assert len(right) == 286
    refused = {
        f"{one.name}: {gate}" for one in right for gate in refused_by(one.tree, one.proposal, one.context)
    }
    assert refused <= ELSEWHERE


@pytest.mark.parametrize("repository", harm.repositories())
def test_no_right_fix_of_a_repository_that_was_attacked_is_refused_by_reading(repository: str) -> None:
    assert refused_by(*harm.case(harm.right(repository))) == []
