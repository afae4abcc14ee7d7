"""A regression test, when the prompt itself shows how to call the code that crashed."""

from __future__ import annotations

import ast

import libcst as cst

from functions.core.workflow.proposal import RegressionTest
from infra.local.model import scope
from infra.local.model.rule import Crash, Repair


def regression_test(crash: Crash, candidate: Repair) -> RegressionTest | None:
    """A test that calls the failing function with the arguments that made it fail.

    Only for a plain function at module level all of whose required parameters the candidate's trigger gives
    as literals, in a module whose import path the traceback confirms. Otherwise None: a search that runs the
    code finds better inputs than a guess.
    """
    function = crash.function
    if function is None or function not in crash.file.module.body or function.asynchronous:
        return None
    module = _module(crash)
    required = [p.name.value for p in scope.parameters(function) if p.default is None]
    if module is None or not candidate.expects or set(required) != set(candidate.trigger):
        return None
    if function.decorators or not all(_is_literal(v) for v in candidate.trigger.values()):
        return None
    name = function.name.value
    call = f"{name}({', '.join(f'{p}={candidate.trigger[p]}' for p in required)})"
    imports = sorted({name, *(scope.module_names(crash.file) & _names(candidate.expects))})
    lines = [f"    {candidate.expects.format(call=call)}"]
    header = ""
    if candidate.expects.startswith("raises "):
        error = candidate.expects.removeprefix("raises ")
        header = "import pytest\n\n"
        lines = [f"    with pytest.raises({error}):", f"        {call}"]
    body = "\n".join(lines)
    stem = module.rsplit(".", 1)[-1]
    return RegressionTest(
        path=f"tests/test_{stem}_{name}_{crash.error.lower()}.py",
        code=f"{header}from {module} import {', '.join(imports)}\n\n\n"
        f"def test_{name}_does_not_raise_{crash.error.lower()}():\n{body}\n",
    )


def _module(crash: Crash) -> str | None:
    """The import path, when the file lies below the deployment root exactly as below the repository root."""
    path = crash.file.path
    if crash.frame is None or not crash.frame.file.endswith(f"/{path}") or not path.endswith(".py"):
        return None
    dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return dotted if all(part.isidentifier() for part in dotted.split(".")) else None


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _names(text: str) -> set[str]:
    expression = text.removeprefix("assert ").removeprefix("raises ").replace("{call}", "None")
    return scope.names_in(cst.parse_expression(expression))
