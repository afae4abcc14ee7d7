"""Every command that people are told to type exists, with its options: in code, messages and manuals."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from functions.core.incidents.incident import Incident, Status
from infra.cli.main import app
from infra.cli.next_steps import next_steps

ROOT = Path(__file__).parents[3]
CODE = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "infra").rglob("*.py")]
MANUALS = [ROOT / "README.md", *(ROOT / ".github").glob("*.md")]
# A command in running text ends where the text goes on.
_COMMAND = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?selfheal((?: +(?:'[^']*'|[^\s'`\"“”()…;:]+))+)")
_STAND_IN = "orders"
"""For what is only known when it is printed. An f-string's own options, such as ` --local`, are dropped."""
COMMANDS: Any = typer.main.get_command(app)


def texts(tree: ast.Module) -> Iterator[str]:
    """Every string of a module that may be printed, with stand-ins for what is filled in: no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        for child in getattr(node, "body", ()) if isinstance(node, documented) else ():
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                inside.add(id(child.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_part, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "" if "flag" in ast.unparse(node) else _STAND_IN


def commands_in(text: str) -> Iterator[list[str]]:
    for found in _COMMAND.finditer(text):
        words = shlex.split(found[1])
        # What is no option, argument or command begins the rest of a sentence.
        yield [word.rstrip(".,") for word in words]


def spoken() -> dict[str, list[str]]:
    """Each command that is told somewhere: where → its words."""
    found: dict[str, list[str]] = {}
    for path in CODE:
        source = path.read_text()
        for text in texts(ast.parse(source)) if "selfheal" in source else ():
            for words in commands_in(text):
                found[f"{path.relative_to(ROOT)}: selfheal {' '.join(words)}"] = words
    for path in MANUALS:
        for text in re.findall(
            r"`([^`\n]*selfheal [^`\n]*)`|^ *((?:\.venv/bin/)?selfheal .*)$", path.read_text(), re.M
        ):
            line = max(text).split("#")[0].split("\\")[0]
            for words in commands_in(line):
                found[f"{path.relative_to(ROOT)}: selfheal {' '.join(words)}"] = words
    return found


SPOKEN = spoken()


def problem(words: list[str]) -> str:
    """What is wrong with a command, "" for nothing: a name or an option that there is not."""
    command, rest = COMMANDS, list(words)
    while hasattr(command, "commands"):
        if not rest or rest[0] in ("--help", "-h"):
            return ""
        if rest[0] not in command.commands:
            return f"there is no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    options = [word.split("=")[0] for word in rest if word.startswith("-") and word != "-"]
    if missing := [option for option in options if option not in known | {"--help", "-h"}]:
        return f"{command.name} has no option {missing[0]}"
    return ""


def test_there_is_something_to_check() -> None:
    assert len(SPOKEN) > 60
    assert any("functions/report_failure" in where for where in SPOKEN)
    assert any("README" in where for where in SPOKEN)


@pytest.mark.parametrize("where", sorted(SPOKEN))
def test_what_people_are_told_to_type_exists(where: str) -> None:
    assert problem(SPOKEN[where]) == ""


@pytest.mark.parametrize(
    "words", [["aps"], ["apps", "lst"], ["incidents", "--stat", "x"], ["show", "i", "--locl"]]
)
def test_what_does_not_exist_is_found(words: list[str]) -> None:
    assert problem(words)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("until", ["", "2020-01-01T00:00:00.000+00:00", "2999-01-01T00:00:00.000+00:00"])
def test_every_status_has_a_next_step_that_can_be_parsed_whole(status: Status, until: str) -> None:
    incident = Incident(
        *("orders-v1-1", "v1-1", "orders", status, "KeyError", "KeyError: 'NZ'"),
        attempts=1,
        execution_arn="arn:execution:1",
        redrivable_until=until,
    )
    steps = next_steps(incident, " --local")
    assert steps
    for step in steps:
        if step.command:
            words = shlex.split(step.command)[1:]
            assert problem(words) == ""
            name, *arguments = words
            command = COMMANDS
            while hasattr(command, "commands"):
                command = command.commands[name]
                if hasattr(command, "commands"):
                    name, *arguments = arguments
            # Raises for an argument that is missing or too many.
            command.make_context(name, list(arguments))
