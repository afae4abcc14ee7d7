"""A report counts only when its whole story holds: code under test cannot forge, drop or cut results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.harness import test_runs
from functions.harness.outcome import RunOutcome
from infra.local.runner import LocalRunner
from tests.jobs import job, outcomes_of, pytest_suite

PHASES = ("setup", "call", "teardown")


def report(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def told(name: str, outcome: str = "passed") -> list[dict[str, Any]]:
    results = {"setup": "passed", "call": outcome, "teardown": "passed"}
    return [{"test": name, "when": when, "outcome": results[when], "exception": None} for when in PHASES]


def ended(text: str, exit_code: int | None = 0, stopped: str = "") -> RunOutcome:
    return RunOutcome(exit_code, stopped, 1.0, "", text)


ONE, END = {"collected": ["a"]}, {"finished": 0}


@pytest.mark.parametrize(
    ("text", "exit_code", "why"),
    [
        pytest.param(report(ONE, *told("a"), END), 0, "", id="a whole story"),
        pytest.param(report(ONE, *told("a", "failed"), {"finished": 1}), 1, "", id="a failure"),
        pytest.param(report(ONE, *told("a")), 0, "did not end", id="no end"),
        pytest.param(report(ONE, *told("a"), END), 1, "did not end", id="other exit code"),
        pytest.param(report(ONE, *told("a"), {"finished": 4}), 4, "did not end", id="an end of no run"),
        pytest.param(report({"collected": ["a", "b"]}, *told("a"), END), 0, "every test", id="one missing"),
        pytest.param(report(ONE, *told("a"), *told("b"), END), 0, "every test", id="one more"),
        pytest.param(report(ONE, *told("a"), *told("a"), END), 0, "twice", id="told twice"),
        pytest.param(report(ONE, ONE, *told("a"), END), 0, "collected twice", id="collected twice"),
        pytest.param(report(ONE, *told("a"), END, *told("b")), 0, "after its end", id="after the end"),
        pytest.param(report(ONE, *told("a"), END, END), 0, "after its end", id="two ends"),
        pytest.param(report(ONE, *told("a", "failed"), END), 0, "contradicts", id="contradiction"),
        pytest.param("{not json\n", 0, "not what the runner writes", id="broken JSON"),
        pytest.param(report({"collected": 5}), 0, "not what the runner writes", id="wrong types"),
        pytest.param(report({"finished": None}), 0, "not what the runner writes", id="an end that is none"),
        pytest.param("[]\n", 0, "not what the runner writes", id="a list"),
        pytest.param("", 0, "did not end", id="nothing"),
        pytest.param("[" * 100_000, 0, "not what the runner writes", id="deep nesting"),
    ],
)
def test_story_must_be_whole(text: str, exit_code: int, why: str) -> None:
    problem = test_runs.read(ended(text, exit_code)).problem
    assert why in problem
    assert bool(problem) == bool(why)


def test_a_test_that_is_told_in_part_has_failed() -> None:
    text = report(ONE, *told("a")[:2], END)
    assert test_runs.read(ended(text)).results == {"a": "failed"}


def test_stopped_run_says_why_and_keeps_what_had_ended() -> None:
    text = report({"collected": ["a", "b"]}, *told("a"), *told("b")[:1])
    run = test_runs.read(ended(text, None, "time"))
    assert "ran out of time" in run.problem
    assert (run.results, run.collected, run.out_of_time) == ({"a": "passed"}, 2, True)
    assert "printed too much" in test_runs.read(ended("", None, "output")).problem


@pytest.mark.parametrize(
    ("reported", "raised", "same"),
    [
        ("KeyError", "KeyError", True),
        ("ShopError", "shop.errors.ShopError", True),
        ("shop.errors.ShopError", "ShopError", True),
        ("Error", "KeyError", False),
        ("a.Error", "b.Error", False),
    ],
)
def test_types_are_the_same_with_and_without_their_module(reported: str, raised: str, same: bool) -> None:
    assert test_runs.same_type(reported, raised) is same


TESTS = """from it import broken


def test_a():
    pass


def test_b():
    assert broken() == 1


def test_c():
    pass
"""
ATTACKS = {
    "ends the process with success": "import os\n\n\ndef broken():\n    os._exit(0)\n",
    "raises SystemExit 0": "def broken():\n    raise SystemExit(0)\n",
    "stops the session": "import pytest\n\n\ndef broken():\n    pytest.exit('done', 0)\n",
    "kills itself": "import os\n\n\ndef broken():\n    os.kill(os.getpid(), 9)\n",
    "writes results of its own": (
        "import json, os\n\n\ndef broken():\n"
        "    for when in ('call', 'teardown'):\n"
        "        line = dict(test='test_it.py::test_b', when=when, outcome='passed', exception=None)\n"
        "        os.write(3, json.dumps(line).encode() + b'\\n')\n"
        "    return 2\n"
    ),
    "writes an end of its own": (
        "import os\n\n\ndef broken():\n    os.write(3, b'{\"finished\": 0}\\n')\n    os._exit(0)\n"
    ),
    "closes the report": "import os\n\n\ndef broken():\n    os.close(3)\n    return 2\n",
    "fills the report": "import os\n\n\ndef broken():\n    while True:\n        os.write(3, b'x' * 65536)\n",
    "leaves a process that writes on": (
        "import os, time\n\n\ndef broken():\n"
        "    if os.fork() == 0:\n        time.sleep(30)\n        os._exit(0)\n"
        "    return 2\n"
    ),
    "tells a whole story before pytest does": (
        "import json, os\n\n\ndef broken():\n"
        "    phases = [dict(test='test_it.py::test_b', when=when, outcome='passed', exception=None)\n"
        "              for when in ('setup', 'call', 'teardown')]\n"
        "    for line in ({'collected': ['test_it.py::test_b']}, *phases, {'finished': 0}):\n"
        "        os.write(3, json.dumps(line).encode() + b'\\n')\n"
        "    os._exit(0)\n"
    ),
}


@pytest.fixture(scope="module")
def tampered() -> dict[str, test_runs.TestRun]:
    """Each attack's run. Two to a job: one is the tree before, the other the tree after."""
    found: dict[str, test_runs.TestRun] = {}
    names = list(ATTACKS)
    for pair in zip(names[::2], names[1::2], strict=True):
        trees = [{"it.py": ATTACKS[name], "test_it.py": TESTS} for name in pair]
        ran = LocalRunner().run(job(*trees, suite=pytest_suite(seconds=10.0)))
        found.update(zip(pair, map(test_runs.read, outcomes_of(ran.report)), strict=True))
    return found


@pytest.mark.parametrize("attack", ATTACKS)
def test_tampering_never_turns_a_failure_into_a_pass(
    attack: str, tampered: dict[str, test_runs.TestRun]
) -> None:
    run = tampered[attack]
    assert run.problem or run.results["test_it.py::test_b"] == "failed"


def test_ordinary_run_is_believed() -> None:
    trees = {"it.py": "def broken():\n    return {}['k']\n", "test_it.py": TESTS}
    ran = LocalRunner().run(job(trees, suite=pytest_suite()))
    for run in map(test_runs.read, outcomes_of(ran.report)):
        assert run.problem == ""
        assert run.results == {
            "test_it.py::test_a": "passed",
            "test_it.py::test_b": "failed",
            "test_it.py::test_c": "passed",
        }
        raised = run.raised["test_it.py::test_b"]
        assert (raised.type, raised.frames[-1]) == ("KeyError", ("it.py", 2, "broken"))
