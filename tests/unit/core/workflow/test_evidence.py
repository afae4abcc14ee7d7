"""Evidence as people and models read it."""

from __future__ import annotations

from functions.core.workflow.evidence import GateResult, Result, bounded


def test_what_strangers_wrote_is_cut() -> None:
    gate = bounded(GateResult("parses", Result.FAIL, "x" * 9_999, ("y" * 9_999,) * 999))
    assert len(gate.detail) == len(gate.findings[0]) == 500
    assert gate.detail.endswith("x...")
    assert len(gate.findings) == 50


def test_what_is_short_stays() -> None:
    gate = GateResult("parses", Result.PASS, "every file parses", ("a",))
    assert bounded(gate) == gate
