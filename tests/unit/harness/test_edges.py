"""What calls are compared at: values where the code itself draws a line."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from functions.harness.search.edges import Edges, constants_in
from functions.harness.search.explore import _calls, _Further
from functions.harness.search.results import Outcome, answer
from functions.harness.search.targets import Classes, classes_of, helpers_of, targets_of
from functions.harness.search.values import New, Value, variants

CSV = "name;sum\nana;5\n"


def edges_of(code: str) -> Edges:
    return Edges.of(constants_in(ast.parse(code)))


@pytest.mark.parametrize(
    ("code", "constants"),
    [
        ("x < 10**7", [10**7]),
        ("x < 60 * 60 * 24 - 1", [86399]),
        ("-5, 1.5, 'a'", [-5, 1.5, "a"]),
        ("True, None, b'x', 'x' * 3, 2**10**9, 'a long text that is no sign but a sentence'", ["x", 3, 2]),
        ("1, 1.0, '1'", [1, 1.0, "1"]),
    ],
)
def test_constants_are_worked_out_as_python_would(code: str, constants: list[Value]) -> None:
    found = constants_in(ast.parse(code))
    assert [c for c in found if c != 10**9] == constants


@pytest.mark.parametrize(
    ("code", "value", "tried"),
    [
        ("amount > 10**7", 3, [10**7 - 1, 10**7, 10**7 + 1]),
        ("amount > 10**7", 3.0, [1e7 + 1]),
        ("limit = 500", New("order", {"amount": 1}), [New("order", {"amount": n}) for n in (499, 500, 501)]),
        ("net >= Decimal('50.00')", New("Decimal", {}, ("1",)), [New("Decimal", {}, ("49.99",))]),
        ("text[:1] in '=+-@'", "x", ["=x", "+x", "-x", "@x", " @x", "x@"]),
        ("DANGEROUS = ('=', '\\t', '\\r')", "x", ["=x", "\tx", "\rx"]),
        # Not only at the beginning, and not only in the first item of a collection.
        ("cell in '=@'", CSV, ["name;sum\nana;=5\n", "name;sum\n=ana;5\n"]),
        ("cell in '=@'", ["a", "b"], [["=a", "b"], ["a", "=b"]]),
        ("line < 100", ["a"], [["a"] * 101]),
        ("re.compile('[a-z]{2,30}')", "ab", ["x" * 30, "x" * 31, "AB"]),
    ],
)
def test_what_lies_at_an_edge_is_tried(code: str, value: Value, tried: list[Value]) -> None:
    beside = list(edges_of(code).beside(value))
    assert not [one for one in tried if one not in beside]
    assert len(beside) < 120


def test_every_part_of_an_object_is_changed() -> None:
    changed = list(itertools.islice(variants(New("X", {"a": 1.5, "b": 2.5}), [5, 6]), 4))
    assert changed == [New("X", {"a": a, "b": b}) for a, b in ((5, 2.5), (1.5, 5), (6, 2.5), (1.5, 6))]


def test_a_helper_of_the_tests_makes_inputs_that_nobody_could_make_up(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "pay.py").write_text(
        "def pay(order):\n    if order['signature'] != sign(order):\n        raise ValueError\n"
        "    return order['amount'] > 900_000\n"
    )
    (tmp_path / "tests/test_pay.py").write_text(
        "def order(amount=10, parts=2):\n    return signed(amount, parts)\n\n"
        "def test_pay():\n    assert pay(order())\n"
    )
    place = {"path": "pay.py", "function": "pay", "line": 2, "code": ""}
    tests = ["tests/test_pay.py"]
    task = {
        "places": [place],
        "tests": tests,
        "message": "",
        "survey": True,
        "constants": [],
        "helpers": tests,
    }
    classes = Classes(classes_of(tmp_path, ["pay.py"]).known, helpers=helpers_of(tmp_path, tests))
    (target,) = targets_of(tmp_path, [place])

    calls = {
        call["call"]: call["imports"]
        for call in itertools.islice(_calls(target, classes, task, tmp_path, _Further()), 200)
    }

    assert calls["pay(order(amount=900001, parts=2))"] == [["pay", "pay"], ["tests.test_pay", "order"]]


def test_a_result_that_is_too_long_to_be_told_is_compared_all_the_same() -> None:
    one, other = ([start, *[1] * 5000] for start in (1, 2))
    told, again, different = (answer(Outcome(value), "") for value in (one, list(one), other))
    assert told == again != different
    assert (told["shown"], len(told["long"])) == ("", 64)


def test_of_what_is_too_large_at_any_depth_the_ends_count() -> None:
    def parts(changed: int) -> Value:
        return {"parts": [-1 if n == changed else 1 for n in range(10_000)]}

    of_end, of_middle, plain = (answer(Outcome(parts(n)), "")["long"] for n in (9_999, 5_000, -1))
    assert of_end != plain == of_middle


def test_a_result_may_hold_itself() -> None:
    itself: list[Value] = [1]
    itself.append(itself)
    assert answer(Outcome(itself), "")["value"] == ""
