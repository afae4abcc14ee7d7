"""A report counts only when its whole story holds: code under test cannot forge, drop or cut results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from functions.validate_patch.sandbox.sandbox import Outcome, Sandbox

from functions.validate_patch import outcomes
from functions.validate_patch.tree import File

TASK = {"kind": "pytest", "args": ["-q", "-p", "no:cacheprovider", "-o", "addopts="]}
PHASES = ("setup", "call", "teardown")


def report(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def told(name: str, outcome: str = "passed") -> list[dict[str, Any]]:
    results = {"setup": "passed", "call": outcome, "teardown": "passed"}
    return [{"test": name, "when": when, "outcome": results[when], "exception": None} for when in PHASES]


def ended(data: bytes, exit_code: int | None = 0, stopped: str = "") -> Outcome:
    return Outcome(exit_code, stopped, 1.0, "", data)


ONE, END = {"collected": ["a"]}, {"finished": 0}


@pytest.mark.parametrize(
    ("data", "exit_code", "why"),
    [
        pytest.param(report(ONE, *told("a"), END), 0, "", id="a whole story"),
        pytest.param(report(ONE, *told("a", "failed"), {"finished": 1}), 1, "", id="a failure"),
        pytest.param(report(ONE, *told("a")), 0, "did not end", id="no end"),
        pytest.param(report(ONE, *told("a"), END), 1, "did not end", id="other exit code"),
        pytest.param(report({"collected": ["a", "b"]}, *told("a"), END), 0, "every test", id="one missing"),
        pytest.param(report(ONE, *told("a"), *told("b"), END), 0, "every test", id="one more"),
        pytest.param(report(ONE, *told("a"), *told("a"), END), 0, "twice", id="told twice"),
        pytest.param(report(ONE, ONE, *told("a"), END), 0, "collected twice", id="collected twice"),
        pytest.param(report(ONE, *told("a"), END, *told("b")), 0, "after its end", id="after the end"),
        pytest.param(report(ONE, *told("a"), END, END), 0, "after its end", id="two ends"),
        pytest.param(report(ONE, *told("a", "failed"), END), 0, "contradicts", id="contradiction"),
        pytest.param(b"{not json\n", 0, "not what the runner writes", id="broken JSON"),
        pytest.param(report({"collected": 5}), 0, "not what the runner writes", id="wrong types"),
        pytest.param(b"", 0, "did not end", id="nothing"),
        pytest.param(b"[" * 100_000, 0, "not what the runner writes", id="deep nesting"),
    ],
)
def test_story_must_be_whole(data: bytes, exit_code: int, why: str) -> None:
    problem = outcomes.read(ended(data, exit_code)).problem
    assert why in problem
    assert bool(problem) == bool(why)


def test_stopped_run_says_why() -> None:
    assert "ran out of time" in outcomes.read(ended(b"", None, "time")).problem


TESTS = b"""from it import broken


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
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_tampering_never_turns_a_failure_into_a_pass(attack: str, sandbox: Sandbox) -> None:
    tree = sandbox.stage({"it.py": File(ATTACKS[attack].encode()), "test_it.py": File(TESTS)})
    run = outcomes.read(sandbox.run(tree, TASK, 5.0))
    assert run.problem or run.results["test_it.py::test_b"] == "failed"


def test_ordinary_run_is_believed(sandbox: Sandbox) -> None:
    code = b"def broken():\n    return {}['k']\n"
    tree = sandbox.stage({"it.py": File(code), "test_it.py": File(TESTS)})
    run = outcomes.read(sandbox.run(tree, TASK))
    assert run.problem == ""
    assert run.results == {
        "test_it.py::test_a": "passed",
        "test_it.py::test_b": "failed",
        "test_it.py::test_c": "passed",
    }
    raised = run.raised["test_it.py::test_b"]
    assert (raised.type, raised.frames[-1]) == ("KeyError", ("it.py", 2, "broken"))
