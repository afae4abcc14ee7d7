"""Every case of the crash corpus, really crashed, asked about over HTTP, patched and executed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.core.workflow.proposal import Abstention
from infra.local.model.endpoint import RepairModel
from tests.crash_corpus import Case, cases, judge

CASES = cases()
VIEWS = [
    pytest.param(True, None, id="whole-file"),
    pytest.param(False, None, id="lambda-traceback"),
    pytest.param(True, 9, id="excerpt"),
]


@pytest.fixture(scope="module")
def model() -> Iterator[RepairModel]:
    with RepairModel() as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_ends_as_a_careful_engineer_would_have_it(
    case: Case, model: RepairModel, tmp_path: Path
) -> None:
    verdict = judge(case, model.url, tmp_path / "healed")

    assert verdict.outcome == case.outcome, verdict.detail
    if isinstance(verdict.answer, Abstention):
        assert verdict.answer.next_action
        assert verdict.answer.files_looked_at
        assert case.abstention in {"", verdict.answer.abstention_class}


@pytest.mark.parametrize(("carets", "window"), VIEWS[1:])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_less_to_see_never_leads_to_a_wrong_patch(
    case: Case, carets: bool, window: int | None, model: RepairModel, tmp_path: Path
) -> None:
    verdict = judge(case, model.url, tmp_path / "healed", carets=carets, window=window)

    assert verdict.outcome in {case.outcome, "abstained"}, verdict.detail
