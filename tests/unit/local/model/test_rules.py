"""Every rule's own examples: the module really crashes, and the repair is exactly the one documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.core.workflow.proposal import Proposal
from infra.local.model.endpoint import RepairModel
from infra.local.model.rule import RepairExample, Rule
from infra.local.model.rules import RULES
from tests.crash_corpus import ask, build_prompt, patched, run, without_carets

EXAMPLES = [
    pytest.param(example, id=f"{type(rule).__name__}-{i}")
    for rule in RULES
    for i, example in enumerate(rule.examples, 1)
]


@pytest.fixture(scope="module")
def model() -> Iterator[RepairModel]:
    with RepairModel() as running:
        yield running


@pytest.mark.parametrize("carets", [True, False], ids=["carets", "lambda"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_repaired_as_documented(
    example: RepairExample, carets: bool, model: RepairModel, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "mod.py").write_text(example.before)
    crash = run(app, f"import mod\nfrom mod import *\n{example.call}")
    assert "Traceback" in crash, "the example does not crash"

    answer = ask(model.url, build_prompt(app, crash if carets else without_carets(crash)))

    assert isinstance(answer, Proposal), answer
    repaired = patched(app, answer, tmp_path / "after")
    assert (repaired / "mod.py").read_text() == example.after


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_says_what_it_is(rule: Rule) -> None:
    assert rule.crash_class
    assert rule.errors
    assert rule.precondition
