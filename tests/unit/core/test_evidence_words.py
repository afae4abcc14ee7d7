"""What people read of gates."""

from __future__ import annotations

from functions.core.workflow.evidence import CHECKS, in_words
from functions.validate_patch.gates import EVERY


def test_every_gate_has_words_and_an_unknown_one_its_name() -> None:
    assert set(CHECKS) == {gate.name for gate in EVERY}
    assert in_words("a_gate_of_before") == "a gate of before"
