"""LocalStack's Step Functions interpreter, run by an environment that has it: see bench_states.py.

    python interpreter.py COMMAND …  < requests of TestState, one a line  > their answers, one a line

The command evaluates JSONata: one `{"expression"}` a line in, one `{"value"}` or `{"error"}` a line out. It
is the language's reference, in place of the Java port that LocalStack fetches when it runs.
"""

from __future__ import annotations

import datetime
import functools
import json
import logging
import subprocess
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

INTERPRETER = "localstack.services.stepfunctions"
ROLE = "arn:aws:iam::111122223333:role/none"
EXECUTION = "arn:aws:states:us-east-1:111122223333:execution:self-heal-workflow:heal-1"
MACHINE = "arn:aws:states:us-east-1:111122223333:stateMachine:self-heal-workflow"


def without(name: str, **attributes: Any) -> ModuleType:
    """A module that is not needed here, in place of the one that could not be imported."""
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(attributes)
    sys.modules[name] = module
    return module


def use_jsonata(command: list[str]) -> None:
    """Have the interpreter evaluate expressions by the command, and load no Java."""
    without("jpype", imports=without("jpype.imports"))
    without(f"{INTERPRETER}.packages", jpype_jsonata_package=None)
    jsonata = import_module(f"{INTERPRETER}.asl.jsonata.jsonata")
    reference = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert reference.stdin
    assert reference.stdout
    asked, answered = reference.stdin, reference.stdout

    def evaluate(expression: str) -> Any:
        asked.write(json.dumps({"expression": expression}) + "\n")
        answer = json.loads(answered.readline())
        if "error" in answer:
            raise jsonata.JSONataException("UNKNOWN", answer["error"])
        return answer["value"]

    vars(jsonata)["_eval_jsonata"] = evaluate


def test_state(request: dict[str, Any]) -> dict[str, Any]:
    """TestState with a mock, as LocalStack's provider does it, without the rest of LocalStack."""
    backend = f"{INTERPRETER}.backend"
    mock = import_module(f"{backend}.test_state.test_state_mock").TestStateMock(
        mock_input=request.get("mock"), state_configuration=None, context=None
    )
    # As it is: what reads it knows no redrives, and refuses a context that counts them.
    machine = {"Id": MACHINE, "Name": "self-heal-workflow"}
    mock._context = {"StateMachine": machine} | json.loads(request["context"])
    execution = import_module(f"{backend}.test_state.execution").TestStateExecution(
        name="heal-1",
        role_arn=ROLE,
        exec_arn=EXECUTION,
        account_id="111122223333",
        region_name="us-east-1",
        state_machine=import_module(f"{backend}.state_machine").TestStateMachine(
            name="self-heal-workflow", arn=MACHINE, role_arn=ROLE, definition=request["definition"]
        ),
        start_date=datetime.datetime.now(tz=datetime.UTC),
        input_data=json.loads(request["input"]),
        state_name=request["stateName"],
        activity_store={},
        mock=mock,
        variables=None,
    )
    execution.start()
    answer: dict[str, Any] = execution.to_test_state_output(request["inspectionLevel"])
    return {name: answer.get(name) for name in ("status", "nextState", "output", "error", "cause")} | {
        "nextState": answer.get("nextState") or execution.next_state
    }


def parse_once() -> None:
    """Have the definition parsed once for each state, and not for each visit: that takes seconds."""
    parser = import_module(
        f"{INTERPRETER}.asl.parse.test_state.asl_parser"
    ).TestStateAmazonStateLanguageParser
    parser.parse = staticmethod(functools.cache(parser.parse))


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # It says of each state that it has no integration for CodeBuild.
    use_jsonata(sys.argv[1:])
    parse_once()
    for line in sys.stdin:
        print(json.dumps(test_state(json.loads(line))), flush=True)
