"""The same expressions by the reference JSONata, and the definition by a validator of others.

What the paths and the callback evaluate here, with a Python port, is evaluated once more by the language's
own implementation. Both come from npm: `make .venv/asl/.ready` installs what the lock beside `evaluate.js`
names.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.app import use_bundled_node
from tests.statemachine.diagram import DEFINITION
from tests.statemachine.paths import ACCEPTED, CLAIMED, PATHS, SMALL, SOURCE, START

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "node" / "evaluate.js"


@pytest.fixture(scope="module")
def tools() -> Path:
    """Where the packages from npm are."""
    done = subprocess.run(
        ["make", "--silent", ".venv/asl/.ready"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / ".venv" / "asl" / "node_modules"


@pytest.fixture(scope="module")
def node() -> str:
    if "JSII_NODE" not in os.environ:
        use_bundled_node()
    return os.environ["JSII_NODE"]


@pytest.fixture(scope="module")
def reference(tools: Path, node: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    def run(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [node, str(SCRIPT)],
            input=json.dumps(asked),
            env={"NODE_PATH": str(tools)},
            capture_output=True,
            text=True,
            check=True,
        )
        answered: list[dict[str, Any]] = json.loads(done.stdout)
        return answered

    return run


def test_every_path_evaluates_to_the_same_by_the_reference_jsonata(
    walk: Callable[..., Any],
    reference: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    evaluated: list[tuple[str, Mapping[str, Any], Any]],
) -> None:
    for results, _ in PATHS.values():
        walk(START, results)

    answers = reference([{"expression": text, "states": states} for text, states, _ in evaluated])

    assert len(answers) > 200
    for (text, _, ours), theirs in zip(evaluated, answers, strict=True):
        assert theirs == {"value": ours}, text


def test_what_is_no_decision_is_refused_by_the_reference_jsonata_too(
    definition: dict[str, Any], reference: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    output = definition["States"]["AwaitApproval"]["Output"].removeprefix("{%").removesuffix("%}")
    value = CLAIMED | {"source": SOURCE, "validation": ACCEPTED}
    context = {"State": {"EnteredTime": "2026-11-20T10:00:00Z"}}
    sent = [
        SMALL,
        *("approve", None, [SMALL], {**SMALL, "by": 7}, {**SMALL, "patch_sha256": "e" * 64}),
        *({**SMALL, "comment": 7}, {**SMALL, "decision": "revise"}, {**SMALL, "decision": ["approve"]}),
    ]

    good, *bad = reference(
        [
            {"expression": output, "states": {"input": value, "result": result, "context": context}}
            for result in sent
        ]
    )

    assert good["value"]["decision"]["by"] == SMALL["by"]
    assert all("Expected: decision" in answer["error"] for answer in bad), bad


def test_the_definition_is_valid_by_a_validator_of_others(tools: Path, node: str) -> None:
    command = [node, str(tools / "asl-validator" / "dist" / "bin" / "asl-validator.js")]
    command += ["--json-path", str(DEFINITION)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
