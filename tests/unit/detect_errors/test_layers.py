"""The table of layers: each entry reads its own examples, and the short way lacks none of them."""

from __future__ import annotations

import pytest

from functions.detect_errors.layers import LAYERS, outside_stacks
from functions.detect_errors.read import read_errors
from tests.unit.detect_errors.test_records import TRACEBACK

EXAMPLES = [(layer.name, example) for layer in LAYERS for example in layer.examples]
PLAIN = TRACEBACK


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_a_layer_reads_its_examples(name: str, example: str) -> None:
    (error,) = read_errors(example)
    assert (error.type, error.message) == ("KeyError", "'x'")
    assert [(frame.file, frame.line, frame.function) for frame in error.frames] == [("/app/x.py", 3, "f")]
    assert error.fingerprint == read_errors(PLAIN)[0].fingerprint


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_no_example_takes_the_short_way(name: str, example: str) -> None:
    assert outside_stacks(example) is None


def test_what_is_canonical_takes_it() -> None:
    assert outside_stacks(f"before\n{PLAIN}behind\n") == "before\n\nKeyError: 'x'\nbehind\n"


@pytest.mark.parametrize("sign", [sign for layer in LAYERS for sign in layer.signs])
def test_every_sign_leads_to_the_layers(sign: str) -> None:
    assert outside_stacks(f"x\n{PLAIN}y\n{sign}") is None


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_a_line_that_is_not_understood_hides_nothing(name: str, example: str) -> None:
    odd = "\x04\x00 | +-+ {[(<&quot; \u2502 >>> E   \n"
    found = read_errors(f"{odd}{example.rstrip()}\n{odd}{PLAIN.replace('KeyError', 'OtherError')}")
    assert "OtherError" in [error.type for error in found]
