"""Every path of the state machine once more, by an interpreter and a JSONata that are not ours.

    python tests/bench/bench_states.py

Installs LocalStack's Step Functions interpreter into an environment that is thrown away, has it run each
state of each path of `tests/statemachine/paths.py` as TestState does, with the Task's result mocked, and
holds output and next state against the walk here. Needs Python 3.13, which that interpreter is written for,
and what `make .venv/asl/.ready` installs.

What it cannot do is left out, and counted: its TestState has no answer where a state waits. How CodeBuild
tells that a build has ended it does not know, and need not with a mocked result: it is asked as if nobody
waited.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from functions.harness.interpreters import find, missing
from infra.app import use_bundled_node
from infra.packaging import ROOT
from tests.statemachine.conftest import ENTERED, evaluator, walker
from tests.statemachine.diagram import DEFINITION
from tests.statemachine.paths import PATHS, START
from tests.statemachine.verify_aws import problem, request, visits

HERE = Path(__file__).parent
LACKS = ("WaitForTurn",)
PYTHON = "3.13"
NEEDS = (
    "localstack-core==2026.3.0",
    "antlr4-python3-runtime==4.13.2",
    "boto3==1.42.72",
    "jsonpatch",
    "jsonpath-ng==1.7.0",
    "jsonschema",
    "moto-ext",
    "openapi-core",
    "pydantic",
    "readerwriterlock",
    "requests-aws4auth",
    "rolo",
    "werkzeug",
    "xmltodict",
)
"""What the interpreter imports; LocalStack's own extra `runtime` is ten times as much."""


_DECIDED = re.compile(r'(\\"decided_at\\": ?\\")[^"\\]+')
"""The time in an output, which is JSON within JSON."""


def install(folder: Path) -> Path:
    """An interpreter with LocalStack's, in a new environment."""
    base = find(PYTHON)
    if base is None:
        raise SystemExit(missing(PYTHON))
    subprocess.run([base.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *NEEDS], check=True)
    return python


def answers(python: Path, requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the interpreter says to each."""
    if "JSII_NODE" not in os.environ:
        use_bundled_node()
    packages = ROOT / ".venv" / "asl" / "node_modules"
    done = subprocess.run(
        [python, HERE / "interpreter.py", os.environ["JSII_NODE"], HERE / "jsonata_lines.js"],
        input="".join(
            json.dumps(asked).replace(":startBuild.sync", ":startBuild") + "\n" for asked in requests
        ),
        env=os.environ | {"NODE_PATH": str(packages)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # It enters a state when it does, whatever a context says.
    return [json.loads(_DECIDED.sub(rf"\g<1>{ENTERED}", line)) for line in done.stdout.splitlines()]


def main() -> None:
    walk = walker(json.loads(DEFINITION.read_text()), evaluator([]))
    every = [
        (path, visit)
        for path, (results, _) in PATHS.items()
        for visit in visits(walk(START, results), results)
    ]
    cases = [(path, visit) for path, visit in every if visit.state not in LACKS]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        python = install(Path(folder))
        print(f"installed in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        said = answers(python, (request(visit) for _, visit in cases))
    wrong = [
        f"{path}: {visit.state} {found}"
        for (path, visit), answer in zip(cases, said, strict=True)
        if (found := problem(visit, answer))
    ]
    print(*wrong, sep="\n")
    states, took = {visit.state for _, visit in cases}, time.perf_counter() - began
    print(f"{len(PATHS)} paths, {len(cases)} visits of {len(states)} states in {took:.0f} s", end=": ")
    print(f"{len(wrong)} differences; {len(every) - len(cases)} visits of {', '.join(LACKS)} left out")


if __name__ == "__main__":
    main()
